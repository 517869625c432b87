// RMS norm (Zhang & Sennrich 2019) with its learned scale.
import { rmsNorm, type RmsNormOptions } from "../kernels/rms-norm.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Weights } from "./weights.ts";

export interface RmsNormShape {
  readonly eps: number;
  /** Added to the stored weight: 1 for Gemma. */
  readonly shift?: number;
}

export class RmsNorm {
  readonly weight: Tensor; // [C], f32: it is small
  readonly #shape: RmsNormShape;

  constructor(weights: Weights, channels: number, shape: RmsNormShape) {
    this.weight = weights.take("weight", [channels], { dtype: "f32" });
    this.#shape = shape;
  }

  /** x [..., C] plus, if given, a residual of its shape after the norm → the same shape. */
  forward(x: Tensor, epilogue: Pick<RmsNormOptions, "residual" | "dtype"> = {}): Tensor {
    return rmsNorm(x, this.weight, { ...this.#shape, ...epilogue });
  }
}
