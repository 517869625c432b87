// y = x Wᵀ + b by the kernel that fits: few rows are bound by the reading of W, many by arithmetic.
import { BYTES } from "../tensor/dtype.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { bandsOf } from "./bands.ts";
import { copyInto } from "./copy.ts";
import { pinnedGemm } from "./gemm.ts";
import { matmul } from "./matmul.ts";
import { type LinearOptions, matvec, MATVEC_ROWS, readsRows } from "./matvec.ts";

export type { LinearOptions } from "./matvec.ts";

/** activation(x Wᵀ + bias) + residual. x [..., K], weight [N, K] as checkpoints have it, also past the binding limit → [..., N]. Sums in f32. Throws ShapeError. */
export function linear(x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  const { gpu } = x;
  if (x.rank < 1 || weight.rank !== 2 || x.dim(-1) !== weight.dim(1)) throw new ShapeError(`linear: x expected [..., K] and weight [N, K], got ${formatShape(x.shape)} and ${formatShape(weight.shape)}`);
  const rows = x.size / weight.dim(1);
  if (rows >= 1 && rows <= matvecRows(gpu) && readsRows(weight) && !pinnedGemm(gpu)) return matvec(x, weight, options);
  return inBands(x, weight.shape, options, [weight.dim(1) * BYTES[weight.dtype]], (start, end) => weight.slice(0, start, end));
}

/** Up to so many rows of x the matrix-vector kernel is the faster one; a GPU that the CPU plays is soon bound by arithmetic. */
export function matvecRows({ traits }: Gpu): number {
  return traits.software ? 2 : MATVEC_ROWS;
}

/** matmul with a matrix that may come in bands of its rows, which `rows` gives; `rowBytes` of what is bound. */
function inBands(x: Tensor, [cols, terms]: readonly number[], { bias, residual, ...options }: LinearOptions, rowBytes: readonly number[], rows: (start: number, end: number) => Tensor): Tensor {
  const { gpu } = x;
  const shape = [...x.shape.slice(0, -1), cols];
  if (bias) expectShape("linear: bias", bias, [cols]);
  if (residual) expectShape("linear: residual", residual, shape);
  using scope = gpu.scope();
  const flat = x.rank === 1 ? x.reshape([1, terms]) : x;
  const added = residual && x.rank === 1 ? residual.reshape([1, cols]) : residual;
  const bands = bandsOf(gpu, "linear", cols, { rowBytes, strided: true });
  const product = (start: number, end: number) =>
    matmul(flat, rows(start, end), { ...options, transposeB: true, bias: bias?.slice(0, start, end), residual: added?.slice(-1, start, end) });
  if (bands.length === 1) return scope.keep(product(0, cols).reshape(shape));
  const out = scope.keep(empty(gpu, shape, options.dtype ?? x.dtype));
  for (const { start, end } of bands) {
    using _band = gpu.scope();
    copyInto(product(start, end), out.reshape([...flat.shape.slice(0, -1), cols]).slice(-1, start, end));
  }
  return out;
}
