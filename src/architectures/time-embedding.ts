// What a diffusion network is told besides the picture and the words: the timestep, the guidance scale, the pooled text.
import { attention } from "../kernels/attention.ts";
import { concat } from "../kernels/concat.ts";
import { add } from "../kernels/elementwise.ts";
import { matmul } from "../kernels/matmul.ts";
import { Linear } from "../nn/linear.ts";
import { LayerNorm } from "../nn/norm.ts";
import type { Weight, Weights } from "../nn/weights.ts";
import { type Tensor, upload } from "../tensor/tensor.ts";

/** Two layers behind the sinusoids of a timestep; `condDim` features of a condition may join them. */
export class TimestepEmbedding {
  readonly linear1: Linear;
  readonly linear2: Linear;
  readonly condProj: Linear | null;

  constructor(weights: Weights, sinusoids: number, features: number, condDim: number | null) {
    this.linear1 = new Linear(weights.at("linear_1"), sinusoids, features);
    this.linear2 = new Linear(weights.at("linear_2"), features, features);
    this.condProj = condDim === null ? null : new Linear(weights.at("cond_proj"), condDim, sinusoids, { bias: false });
  }

  /** sinusoids [N, S], condition [N, condDim] → [N, features]. */
  forward(sinusoids: Tensor, condition?: Tensor): Tensor {
    const input = condition && this.condProj ? this.condProj.forward(condition, { residual: sinusoids }) : sinusoids;
    return this.linear2.forward(this.linear1.forward(input, { activation: "silu" }));
  }
}

/** The text as one vector by attention from its mean, then projected (as in DeepFloyd IF). */
export class TextTimeEmbedding {
  readonly norm1: LayerNorm;
  readonly positionalEmbedding: Weight; // [1, D]
  readonly kProj: Linear;
  readonly qProj: Linear;
  readonly vProj: Linear;
  readonly proj: Linear;
  readonly norm2: LayerNorm;

  constructor(weights: Weights, textDim: number, features: number, readonly heads: number) {
    const pool = weights.at("pool");
    this.norm1 = new LayerNorm(weights.at("norm1"), textDim, 1e-5);
    this.positionalEmbedding = pool.take("positional_embedding", [1, textDim]);
    this.kProj = new Linear(pool.at("k_proj"), textDim, textDim);
    this.qProj = new Linear(pool.at("q_proj"), textDim, textDim);
    this.vProj = new Linear(pool.at("v_proj"), textDim, textDim);
    this.proj = new Linear(weights.at("proj"), textDim, features);
    this.norm2 = new LayerNorm(weights.at("norm2"), features, 1e-5);
  }

  /** text [N, T, D] → [N, features]. */
  forward(text: Tensor): Tensor {
    const [n, , width] = text.shape;
    const split = (x: Tensor) => x.reshape([n, x.dim(1), this.heads, width / this.heads]);
    const states = this.norm1.forward(text);
    const first = add(meanOverTokens(states), this.positionalEmbedding); // [N, 1, D]
    const all = concat([first, states], 1); // [N, T + 1, D]
    const pooled = attention(split(this.qProj.forward(first)), split(this.kProj.forward(all)), split(this.vProj.forward(all)));
    return this.norm2.forward(this.proj.forward(pooled.reshape([n, width])));
  }
}

/** x [N, T, D] → [N, 1, D]. */
function meanOverTokens(x: Tensor): Tensor {
  const tokens = x.dim(1);
  const weights = upload(x.gpu, new Float32Array(tokens).fill(1 / tokens), [1, tokens], "f32");
  return matmul(weights, x, { dtype: x.dtype });
}
