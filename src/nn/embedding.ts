// A table looked up by row numbers, which may also be the output head.
import { embedding } from "../kernels/embedding.ts";
import { linear, type LinearOptions } from "../kernels/linear.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Weight, Weights } from "./weights.ts";

export class Embedding {
  readonly weight: Weight; // [count, features]

  constructor(weights: Weights, count: number, features: number) {
    this.weight = weights.take("weight", [count, features]);
  }

  /** ids i32 [...] → [..., features]. */
  forward(ids: Tensor): Tensor {
    return embedding(ids, this.weight);
  }

  /** The scores of every row, where the table is tied to the output head: x [..., features] → x Wᵀ [..., count]. */
  scores(x: Tensor, options?: LinearOptions): Tensor {
    return linear(x, this.weight, options);
  }
}
