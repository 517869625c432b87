// A table looked up by row numbers.
import { embedding } from "../kernels/embedding.ts";
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
}
