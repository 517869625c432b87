// RMS norm (Zhang and Sennrich 2019, arXiv 1910.07467).
import grid from "/shaders/include/grid.wgsl?raw";
import reduce from "/shaders/include/reduce.wgsl?raw";
import source from "/shaders/rms-norm.wgsl?raw";
import { expectShape } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "rms-norm", source, includes: [grid, reduce] });

export interface RmsNormOptions {
  readonly eps?: number;
  /** Added to the weight: 1 in Gemma's checkpoints, which store w − 1. */
  readonly shift?: number;
  /** Added to the result, of x's shape; the result then has its dtype unless one is given. */
  readonly residual?: Tensor;
  readonly dtype?: "f32" | "f16";
}

/** x [..., C] / √(mean x² + eps) · (weight [C] + shift) + residual → x's shape; its dtype unless told otherwise. Sums are f32. Throws ShapeError. */
export function rmsNorm(x: Tensor, weight: Tensor, { eps = 1e-6, shift = 0, residual, dtype }: RmsNormOptions = {}): Tensor {
  const cols = x.dim(-1);
  expectShape("rmsNorm: weight", weight, [cols]);
  if (residual) expectShape("rmsNorm: residual", residual, x.shape);
  const out = empty(x.gpu, x.shape, dtype ?? residual?.dtype ?? x.dtype);
  if (x.size === 0) return out;
  using scope = x.gpu.scope();
  const rows = x.size / cols;
  const from = contiguous(x);
  const operands = { x: from, weight: contiguous(weight), residual: residual ? contiguous(residual) : from, out };
  kernel.run(operands, { rows, cols, eps, shift }, [rows], { constants: { RESIDUAL: residual ? 1 : 0 }, flops: 4 * x.size });
  return scope.keep(out);
}
