// The green list's bias on the logits: the part of a text watermark that knows the previous tokens, which are on the GPU only.
import grid from "/shaders/include/grid.wgsl?raw";
import source from "/shaders/watermark.wgsl?raw";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "watermark", source, includes: [grid] });

export interface GreenListParams {
  /** The 64 bits of the key. */
  readonly keyLow: number;
  readonly keyHigh: number;
  /** Tokens whose 32-bit rank is less are green. */
  readonly threshold: number;
  /** Added to their logits. */
  readonly bias: number;
}

/** logits [B, V], f32 or f16, and previous i32 [B, h] (negative: no token there) → [B, V]. A row without previous tokens stays as it is. Throws ShapeError. */
export function greenListBias(logits: Tensor, previous: Tensor, { keyLow, keyHigh, threshold, bias }: GreenListParams): Tensor {
  expectShape("watermark: logits", logits, [null, null]);
  const [batch, vocab] = logits.shape;
  expectShape("watermark: previous", previous, [batch, null]);
  if (previous.dtype !== "i32") throw new ShapeError(`watermark: previous expected i32 ${formatShape(previous.shape)}, got ${previous.dtype}`);
  const out = empty(logits.gpu, logits.shape, logits.dtype);
  if (out.size === 0) return out;
  using scope = logits.gpu.scope();
  const params = { count: out.size, vocab, context: previous.shape[1], key_low: keyLow, key_high: keyHigh, threshold, bias };
  kernel.run({ logits: contiguous(logits), previous: contiguous(previous), out }, params, [Math.ceil(out.size / 64)]);
  return scope.keep(out);
}
