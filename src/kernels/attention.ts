// Scaled dot-product attention by online softmax: no matrix of scores is ever stored.
import source from "/shaders/attention.wgsl?raw";
import lanesSource from "/shaders/attention-lanes.wgsl?raw";
import multiplyQuads from "/shaders/include/multiply-quads.wgsl?raw";
import spreadSubgroup from "/shaders/include/spread-subgroup.wgsl?raw";
import stableTanh from "/shaders/include/tanh.wgsl?raw";
import type { Gpu } from "../gpu/gpu.ts";
import { BYTES } from "../tensor/dtype.ts";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { bandsOf } from "./bands.ts";
import { contiguous, copyInto } from "./copy.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { ceilToQuad, padRows } from "./pad.ts";

/** Operands that may be views. */
export const attentionViews = ["q", "k", "v", "mask", "starts", "bias", "out"];
const tileKernel = defineKernel({ name: "attention-tile", source, includes: [multiplyQuads, stableTanh], strided: attentionViews });
const lanesKernel = defineKernel({ name: "attention-lanes", source: lanesSource, includes: [multiplyQuads, spreadSubgroup, stableTanh], strided: attentionViews, enables: ["subgroups"] });

const MAX_HEAD = 256;
const NO_WINDOW = 2 ** 32 - 1;

export interface AttentionOptions {
  /** A factor of q·k; 1/√D unless given. */
  readonly scale?: number;
  /** Query i sees keys 0 … start + i only. */
  readonly causal?: boolean;
  /** Place of the first query among the keys, where the keys of earlier tokens come before those of these queries. */
  readonly start?: number;
  /** With `causal`: a query sees so many keys, its own the last (Beltagy et al. 2020, arXiv 2004.05150). */
  readonly window?: number;
  /** Logits become cap · tanh(logit / cap). */
  readonly softCap?: number;
  /** Added to the logits: [H, N, M] or [B | 1, H, N, M], f32 or f16, any view. */
  readonly bias?: Tensor;
  /** i32 [B]: keys before it are hidden, as those of padding on the left. */
  readonly keyStart?: Tensor;
  /** i32 [B, M]; 0 hides a key. */
  readonly keyMask?: Tensor;
}

/**
 * softmax(scale · q kᵀ + bias) v for every head. q [B, N, H, D], k and v [B, M, H / G, D] where G neighbouring heads of q share
 * keys (Ainslie et al. 2023, arXiv 2305.13245), views as long as the last axis is contiguous → [B, N, H, D] of q's dtype.
 * A query that sees no key gives 0. Throws ShapeError.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  return attentionBy(attentionVariant, q, k, v, options);
}

/** The same by a kernel of the caller's choice. */
export function attentionBy(choose: (gpu: Gpu, shape: AttentionShape) => AttentionVariant, q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  const { scale, causal = false, start: place = 0, window, softCap, keyMask, keyStart, bias } = options;
  expectShape("attention: q", q, [null, null, null, null]);
  const [batch, queries, heads, size] = q.shape;
  expectShape("attention: k", k, [batch, null, heads % k.dim(2) ? heads : k.dim(2), size]);
  const keys = k.shape[1];
  expectShape("attention: v", v, k.shape);
  if (keyMask) expectMask("keyMask", keyMask, [batch, keys]);
  if (keyStart) expectMask("keyStart", keyStart, [batch]);
  if (bias) expectShape("attention: bias", bias, [...(bias.rank === 4 ? [bias.dim(0) === 1 ? 1 : batch] : []), heads, queries, keys]);
  if (window !== undefined && !(causal && window > 0)) throw new ShapeError(`attention: a window of ${window} keys expected to be positive, and causal`);
  if (size < 1 || size > MAX_HEAD) throw new ShapeError(`attention: q expected a head size of 1 to ${MAX_HEAD}, got ${formatShape(q.shape)}`);

  using scope = q.gpu.scope();
  const out = scope.keep(empty(q.gpu, q.shape, q.dtype));
  if (out.size === 0) return out;
  const padded = ceilToQuad(size);
  const [readQ, readK, readV] = [q, k, v].map((x) => rowsInQuads(padRows(x, padded)));
  const [mask, starts] = [keyMask, keyStart].map((x) => x && (x.contiguous ? x.view() : contiguous(x)));
  const added = bias?.broadcastTo([batch, heads, queries, keys]);
  const biasStep = added?.strides ?? [0, 0, 0, 0];
  const target = padded === size ? out : empty(q.gpu, [batch, queries, heads, padded], q.dtype);
  const seen = Math.min(keys, window ?? keys);
  const { kernel, defines, queriesAtOnce, splits = 1, join, constants: own } = choose(q.gpu, { size: padded, queries, rows: batch * queries * heads, keys: seen });
  const sums = splits === 1 ? target : empty(q.gpu, [batch, queries, heads, splits, padded + 4], "f32");
  const rowFlops = 4 * batch * heads * size * keys;
  const rowBytes = added ? [biasStep[2] * BYTES[added.dtype]] : [0];
  const constants = Object.fromEntries(Object.entries({ CAUSAL: causal, MASKED: mask, STARTED: starts, CAPPED: softCap, BIASED: bias }).map(([name, given]) => [name, given === undefined || given === false ? 0 : 1]));
  for (const { start, end } of bandsOf(q.gpu, "attention", queries, { rowBytes, rowFlops, strided: true })) {
    const some = readQ.slice(1, start, end);
    kernel.run(
      { q: some, k: readK, v: readV, mask: mask ?? readQ, starts: starts ?? readQ, bias: added?.slice(2, start, end) ?? some, out: sums.slice(1, start, end) },
      {
        heads, keys, queries: end - start, group: heads / k.dim(2), place: place + start, window: window ?? NO_WINDOW,
        scale: scale ?? 1 / Math.sqrt(size), cap: softCap ?? 0,
        splits, split_keys: Math.ceil(seen / splits),
        q_batch: readQ.strides[0], q_row: readQ.strides[1], q_head: readQ.strides[2],
        k_batch: readK.strides[0], k_row: readK.strides[1], k_head: readK.strides[2],
        v_batch: readV.strides[0], v_row: readV.strides[1], v_head: readV.strides[2],
        bias_batch: biasStep[0], bias_head: biasStep[1], bias_row: biasStep[2], bias_key: biasStep[3],
        out_batch: sums.strides[0],
      },
      [Math.ceil((end - start) / queriesAtOnce) * splits, heads, batch],
      { flops: rowFlops * (end - start), constants: { ...constants, ...own }, defines },
    );
  }
  if (sums !== target) join?.(sums, target);
  if (target !== out) copyInto(target.slice(3, 0, size), out);
  return out;
}

function expectMask(name: string, mask: Tensor, shape: readonly number[]): void {
  expectShape(`attention: ${name}`, mask, shape);
  if (mask.dtype !== "i32") throw new ShapeError(`attention: ${name} expected i32, got ${mask.dtype}`);
}

/** x itself (another handle) where quads of its last axis can be read, else a copy. */
function rowsInQuads(x: Tensor): Tensor {
  const readable = x.strides[3] === 1 && [x.offset, ...x.strides.slice(0, 3)].every((n) => n % 4 === 0);
  return readable ? x.view() : contiguous(x);
}

/** What the choice of a kernel may depend on. */
export interface AttentionShape {
  /** Of a head, in whole quads. */
  readonly size: number;
  readonly queries: number;
  /** Queries of all heads and of the whole batch. */
  readonly rows: number;
  /** That a query sees at most. */
  readonly keys: number;
}

export interface AttentionVariant {
  readonly kernel: Kernel;
  readonly defines: Readonly<Record<string, number>>;
  readonly constants?: Readonly<Record<string, number>>;
  readonly queriesAtOnce: number;
  /** Workgroups that share a query's keys; what each finds, [B, N, H, splits, D + 4], is then joined to out [B, N, H, D]. */
  readonly splits?: number;
  join?(parts: Tensor, out: Tensor): void;
}

const TILE_QUADS = 480; // of keys, and as many of values: 15 KiB of the 16 that every device has

/** A fixed choice by head size and kind of GPU. */
export function attentionVariant({ traits, features }: Gpu, { size }: AttentionShape): AttentionVariant {
  if (traits.software && features.subgroups) return { kernel: lanesKernel, defines: { D: size, GROUP: traits.subgroupSize >= 8 ? 8 : 4 }, queriesAtOnce: 8 };
  const block = traits.software ? 1 : 4; // a GPU that the CPU plays compiles long loops slowly
  const tile = Math.max(block, Math.min(32, Math.floor(TILE_QUADS / (size / 4) / block) * block));
  return { kernel: tileKernel, defines: { D: size, TILE: tile, BLOCK: block }, queriesAtOnce: 64 };
}
