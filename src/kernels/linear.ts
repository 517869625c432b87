// y = x Wᵀ + b by the kernel that fits: few rows are bound by the reading of W, many by arithmetic.
import { BYTES } from "../tensor/dtype.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { QuantizedTensor } from "../tensor/quantized.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import type { Band } from "./bands.ts";
import { copyInto } from "./copy.ts";
import { pinnedGemm } from "./gemm.ts";
import { linearBands, type LinearOptions } from "./linear-matmul.ts";
import { matmul } from "./matmul.ts";
import { matvec, MATVEC_ROWS, readsRows } from "./matvec.ts";
import { dequantize, matvecQuantized, planeBands } from "./quantized.ts";

export type { LinearOptions } from "./linear-matmul.ts";

/** A matrix of weights, plain or quantised. */
export type Matrix = Tensor | QuantizedTensor;

/** Weights of a quantised matrix that are decoded at once for a product with many rows. */
const DECODED = 2 ** 23;

/** activation(x Wᵀ + bias) + residual. x [..., K], weight [N, K] as checkpoints have it, also past the binding limit → [..., N]. Sums in f32. Throws ShapeError. */
export function linear(x: Tensor, weight: Matrix, options: LinearOptions = {}): Tensor {
  const { gpu } = x;
  if (x.rank < 1 || weight.rank !== 2 || x.dim(-1) !== weight.dim(1)) throw new ShapeError(`linear: x expected [..., K] and weight [N, K], got ${formatShape(x.shape)} and ${formatShape(weight.shape)}`);
  const terms = weight.dim(1);
  const few = (most: number) => x.size > 0 && x.size <= most * terms && !pinnedGemm(gpu);
  if (weight instanceof QuantizedTensor) {
    if (few(matvecRows(gpu, true))) return matvecQuantized(x, weight, options);
    const dtype = x.dtype === "f16" ? "f16" : "f32"; // f32 holds every decoded weight
    const most = Math.floor(Math.min(DECODED, gpu.limits.maxStorageBufferBindingSize / BYTES[dtype]) / terms);
    return inBands(x, weight.shape, options, planeBands(weight, 0, most), (band) => dequantize(weight, band, dtype));
  }
  if (few(matvecRows(gpu)) && readsRows(weight)) return matvec(x, weight, options);
  return inBands(x, weight.shape, options, linearBands(weight), ({ start, end }) => weight.slice(0, start, end));
}

/** Up to so many rows of x the matrix-vector kernel is the faster one; a GPU that the CPU plays is soon bound by arithmetic. */
export function matvecRows({ traits }: Gpu, quantised = false): number {
  if (!traits.software) return MATVEC_ROWS;
  return quantised ? 4 : 2;
}

/** matmul with a matrix that comes in bands of its rows. */
function inBands(x: Tensor, [cols, terms]: readonly number[], { bias, residual, ...options }: LinearOptions, bands: readonly Band[], rowsOf: (band: Band) => Tensor): Tensor {
  const { gpu } = x;
  const shape = [...x.shape.slice(0, -1), cols];
  if (bias) expectShape("linear: bias", bias, [cols]);
  if (residual) expectShape("linear: residual", residual, shape);
  using scope = gpu.scope();
  const flat = x.rank === 1 ? x.reshape([1, terms]) : x;
  const added = residual && x.rank === 1 ? residual.reshape([1, cols]) : residual;
  const product = (band: Band) =>
    matmul(flat, rowsOf(band), { ...options, transposeB: true, bias: bias?.slice(0, band.start, band.end), residual: added?.slice(-1, band.start, band.end) });
  if (bands.length === 1) return scope.keep(product(bands[0]).reshape(shape));
  const out = scope.keep(empty(gpu, shape, options.dtype ?? x.dtype));
  const whole = out.reshape([...flat.shape.slice(0, -1), cols]);
  for (const band of bands) {
    using _band = gpu.scope();
    copyInto(product(band), whole.slice(-1, band.start, band.end));
  }
  return out;
}
