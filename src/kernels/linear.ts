// y = x Wᵀ + b by the kernel that fits: few rows are bound by the reading of W, many by arithmetic.
import { BYTES } from "../tensor/dtype.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { QuantizedTensor } from "../tensor/quantized.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { pinnedGemm } from "./gemm.ts";
import { expectFactors, linearByMatmul, linearInBands, type LinearOptions } from "./linear-matmul.ts";
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
  expectFactors(x, weight);
  const terms = weight.dim(1);
  const few = (most: number) => x.size > 0 && x.size <= most * terms && !pinnedGemm(gpu);
  if (weight instanceof QuantizedTensor) {
    if (few(matvecRows(gpu, true))) return matvecQuantized(x, weight, options);
    const dtype = x.dtype === "f16" ? "f16" : "f32"; // f32 holds every decoded weight
    const most = Math.floor(Math.min(DECODED, gpu.limits.maxStorageBufferBindingSize / BYTES[dtype]) / terms);
    return linearInBands(x, weight.shape, options, planeBands(weight, 0, most), (band) => dequantize(weight, band, dtype));
  }
  if (few(matvecRows(gpu)) && readsRows(weight)) return matvec(x, weight, options);
  return linearByMatmul(x, weight, options);
}

/** Up to so many rows of x the matrix-vector kernel is the faster one; a GPU that the CPU plays is soon bound by arithmetic. */
export function matvecRows({ traits }: Gpu, quantised = false): number {
  if (!traits.software) return MATVEC_ROWS;
  return quantised ? 4 : 2;
}
