// Scaled dot-product attention by online softmax: no matrix of scores is ever stored.
import source from "/shaders/attention.wgsl?raw";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "attention", source, strided: ["q", "k", "v", "mask"] });

const MAX_HEAD = 256;

export interface AttentionOptions {
  /** A factor of q·k; 1/√D unless given. */
  readonly scale?: number;
  /** Query i sees keys 0 … i only. */
  readonly causal?: boolean;
  /** i32 [B, M]; 0 hides a key. */
  readonly keyMask?: Tensor;
}

/**
 * softmax(scale · q kᵀ) v for every head. q [B, N, H, D], k and v [B, M, H, D], views as long as the last axis is
 * contiguous → [B, N, H, D] of q's dtype. A query that sees no key gives 0. Throws ShapeError.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, { scale, causal = false, keyMask }: AttentionOptions = {}): Tensor {
  expectShape("attention: q", q, [null, null, null, null]);
  const [batch, queries, heads, size] = q.shape;
  expectShape("attention: k", k, [batch, null, heads, size]);
  const keys = k.shape[1];
  expectShape("attention: v", v, [batch, keys, heads, size]);
  if (keyMask) expectShape("attention: keyMask", keyMask, [batch, keys]);
  if (keyMask && keyMask.dtype !== "i32") throw new ShapeError(`attention: keyMask expected i32, got ${keyMask.dtype}`);
  if (size < 1 || size > MAX_HEAD) throw new ShapeError(`attention: q expected a head size of 1 to ${MAX_HEAD}, got ${formatShape(q.shape)}`);

  using scope = q.gpu.scope();
  const out = scope.keep(empty(q.gpu, q.shape, q.dtype));
  if (out.size === 0) return out;
  const [readQ, readK, readV] = [q, k, v].map((x) => (x.strides[3] === 1 || size === 1 ? x.view() : contiguous(x)));
  const mask = keyMask && (keyMask.contiguous ? keyMask.view() : contiguous(keyMask));
  const quads = Math.ceil(size / 4);
  const tile = Math.max(1, Math.min(32, Math.floor(480 / quads))); // two tiles of 16-byte quads in 16 KiB
  kernel.run(
    { q: readQ, k: readK, v: readV, mask: mask ?? readQ, out },
    {
      heads, queries, keys, scale: scale ?? 1 / Math.sqrt(size),
      q_batch: readQ.strides[0], q_row: readQ.strides[1], q_head: readQ.strides[2],
      k_batch: readK.strides[0], k_row: readK.strides[1], k_head: readK.strides[2],
      v_batch: readV.strides[0], v_row: readV.strides[1], v_head: readV.strides[2],
    },
    [Math.ceil(queries / 64), heads, batch],
    { flops: 4 * out.size * keys, constants: { CAUSAL: causal ? 1 : 0, MASKED: mask ? 1 : 0 }, defines: { D: size, KEYS: tile, LANES: 64 } },
  );
  return out;
}
