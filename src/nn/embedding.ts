// A table looked up by row numbers, which may also be the output head.
import { embedding } from "../kernels/embedding.ts";
import { linear, type LinearOptions } from "../kernels/linear.ts";
import { embeddingQuantized } from "../kernels/quantized.ts";
import { QuantizedTensor } from "../tensor/quantized.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { MatrixWeight, Weights } from "./weights.ts";

export class Embedding {
  readonly weight: MatrixWeight; // [count, features]
  readonly #dtype: "f32" | "f16";

  constructor(weights: Weights, count: number, features: number) {
    this.weight = weights.takeMatrix("weight", [count, features]);
    this.#dtype = weights.dtype;
  }

  /** ids i32 [...] → [..., features]. */
  forward(ids: Tensor): Tensor {
    return this.weight instanceof QuantizedTensor ? embeddingQuantized(ids, this.weight, this.#dtype) : embedding(ids, this.weight);
  }

  /** The scores of every row, where the table is tied to the output head: x [..., features] → x Wᵀ [..., count]. */
  scores(x: Tensor, options?: LinearOptions): Tensor {
    return linear(x, this.weight, options);
  }
}
