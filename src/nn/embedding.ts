// A table looked up by row numbers, which may also be the output head.
import type { LinearOptions } from "../kernels/linear-matmul.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Matrices, MatrixWeight } from "./matrices.ts";
import type { Weights } from "./weights.ts";

export class Embedding {
  readonly weight: MatrixWeight; // [count, features]
  readonly #dtype: "f32" | "f16";
  readonly #matrices: Matrices;

  constructor(weights: Weights, count: number, features: number) {
    this.weight = weights.takeMatrix("weight", [count, features]);
    this.#dtype = weights.dtype;
    this.#matrices = weights.matrices;
  }

  /** ids i32 [...] → [..., features]. */
  forward(ids: Tensor): Tensor {
    return this.#matrices.embedding(ids, this.weight, this.#dtype);
  }

  /** The scores of every row, where the table is tied to the output head: x [..., features] → x Wᵀ [..., count]. */
  scores(x: Tensor, options?: LinearOptions): Tensor {
    return this.#matrices.linear(x, this.weight, options);
  }
}
