// A watermark in text: the tokens before choose a "green" part of the vocabulary, whose logits get a bias (Kirchenbauer et al. 2023,
// arXiv 2301.10226, with the min-hash of arXiv 2306.04634). Whoever has the key can count the green tokens.
//
// transformers draws its green list by torch.randperm, whose result differs between devices, and which is a serial walk over the
// vocabulary. Here a keyed hash says of each token by itself whether it is green: on the GPU for all at once, and on the CPU for
// those of a text. So the marks of the two are not each other's. The hash keeps no secret against who tries to find the key.
import { greenListBias } from "../kernels/watermark.ts";
import { splitSeed } from "../random/seed.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Named as transformers' WatermarkingConfig. */
export interface WatermarkOptions {
  /** Whom the mark belongs to: 0 … 2^64 - 1. */
  readonly hashingKey: number | bigint;
  /** γ, the part of the vocabulary that is green. Default 0.25. */
  readonly greenlistRatio?: number;
  /** δ, added to the logits of green tokens. Default 2. */
  readonly bias?: number;
  /** h, the tokens that choose the green list; the one with the least hash decides, so an edit spoils few. Default 4. */
  readonly contextWidth?: number;
}

/** The green lists of a key. */
export interface GreenList {
  readonly ratio: number;
  readonly bias: number;
  readonly contextWidth: number;
  /** Rank below which a token is green, of 2^32. */
  readonly threshold: number;
  readonly keyLow: number;
  readonly keyHigh: number;
}

/** Fills in the defaults. Throws RangeError that names the option. */
export function greenListOf({ hashingKey, greenlistRatio = 0.25, bias = 2, contextWidth = 4 }: WatermarkOptions): GreenList {
  if (!(greenlistRatio > 0 && greenlistRatio < 1)) throw new RangeError(`greenlistRatio: between 0 and 1 expected, got ${greenlistRatio}`);
  if (!Number.isFinite(bias)) throw new RangeError(`bias: a number expected, got ${bias}`);
  if (!(Number.isInteger(contextWidth) && contextWidth >= 1 && contextWidth <= 64)) throw new RangeError(`contextWidth: a whole number from 1 to 64 expected, got ${contextWidth}`);
  if (typeof hashingKey === "bigint" ? BigInt.asUintN(64, hashingKey) !== hashingKey : !Number.isSafeInteger(hashingKey) || hashingKey < 0) {
    throw new RangeError(`hashingKey: a whole number 0 … 2^64 − 1 expected (past 2^53 − 1 as a bigint), got ${hashingKey}`);
  }
  const { low: keyLow, high: keyHigh } = splitSeed(hashingKey);
  return { ratio: greenlistRatio, bias, contextWidth, threshold: Math.floor(greenlistRatio * 2 ** 32), keyLow, keyHigh };
}

/**
 * Adds the bias to green logits. logits [B, V], previous i32 [B, h]: the last h = contextWidth tokens of each sequence, negative where
 * there are fewer → [B, V]. A sequence without any is left as it is. Throws ShapeError, RangeError.
 */
export function watermark(logits: Tensor, previous: Tensor, options: WatermarkOptions): Tensor {
  return greenListBias(logits, previous, greenListOf(options));
}

/** What decides about a green list: the least keyed hash of the tokens before. Without tokens there is none. */
export function seedAfter({ keyLow, keyHigh }: GreenList, previous: readonly number[]): number | null {
  const hashes = previous.filter((token) => token >= 0).map((token) => mix(mix(token ^ keyLow) ^ keyHigh));
  return hashes.length ? Math.min(...hashes) : null;
}

/** Whether a token is green after tokens that gave `seed`. */
export function isGreen({ keyLow, keyHigh, threshold }: GreenList, seed: number, token: number): boolean {
  return mix(mix(token ^ ~keyLow) ^ mix(seed ^ keyHigh)) < threshold;
}

/** mix32 of watermark.wgsl. */
function mix(number: number): number {
  let x = number;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
