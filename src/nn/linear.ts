// y = x Wᵀ + b.
import type { Activation } from "../kernels/activation.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Matrices, MatrixWeight } from "./matrices.ts";
import type { Weight, Weights } from "./weights.ts";

export interface LinearOptions {
  readonly bias?: boolean;
  /** Older files store some of these as 1×1 convolutions, [out, in, 1, 1]. */
  readonly orConv?: boolean;
}

export interface LinearEpilogue {
  readonly activation?: Activation;
  /** Added after the activation, [..., out]. */
  readonly residual?: Tensor;
  /** Of the result; x's unless given. */
  readonly dtype?: DType;
}

export class Linear {
  readonly weight: MatrixWeight; // [out, in]
  readonly bias: Weight | null; // [out]
  readonly #matrices: Matrices;

  constructor(weights: Weights, inFeatures: number, outFeatures: number, { bias = true, orConv = false }: LinearOptions = {}) {
    this.weight = weights.takeMatrix("weight", [outFeatures, inFeatures], { or: orConv ? [[outFeatures, inFeatures, 1, 1]] : [] });
    this.#matrices = weights.matrices;
    this.bias = bias ? weights.take("bias", [outFeatures]) : null;
  }

  /** x [..., in] → [..., out]. */
  forward(x: Tensor, { activation, residual, dtype }: LinearEpilogue = {}): Tensor {
    return this.#matrices.linear(x, this.weight, { bias: this.bias ?? undefined, activation, residual, dtype });
  }
}
