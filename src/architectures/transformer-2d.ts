// Transformer over the pixels of a feature map, with cross-attention to a text (Rombach et al. 2022, arXiv 2112.10752).
import { geglu } from "../kernels/glu.ts";
import { attention } from "../kernels/attention.ts";
import { Conv2d } from "../nn/conv2d.ts";
import { Linear } from "../nn/linear.ts";
import { GroupNorm, LayerNorm } from "../nn/norm.ts";
import { consume, scoped } from "../nn/scoped.ts";
import type { Weights } from "../nn/weights.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface TransformerConfig {
  readonly heads: number;
  readonly layers: number;
  /** Features of the text's states. */
  readonly crossAttentionDim: number;
  readonly groups: number;
  /** Linear layers around the blocks, where older models have 1×1 convolutions. */
  readonly linearProjection: boolean;
  /** The first attention, too, looks at the text. */
  readonly onlyCrossAttention: boolean;
}

/** Multi-head attention from x to a context, without biases on the way in. */
export class Attention {
  readonly toQ: Linear;
  readonly toK: Linear;
  readonly toV: Linear;
  readonly toOut: Linear;

  constructor(weights: Weights, channels: number, contextDim: number, readonly heads: number) {
    this.toQ = new Linear(weights.at("to_q"), channels, channels, { bias: false });
    this.toK = new Linear(weights.at("to_k"), contextDim, channels, { bias: false });
    this.toV = new Linear(weights.at("to_v"), contextDim, channels, { bias: false });
    this.toOut = new Linear(weights.at("to_out.0"), channels, channels);
  }

  /** The context's part, the same for every x: keys and values [N, M, heads, D] of context [N, M, contextDim]. */
  project(context: Tensor): { keys: Tensor; values: Tensor } {
    return { keys: this.#split(this.toK.forward(context)), values: this.#split(this.toV.forward(context)) };
  }

  /** x [N, T, C] plus, if given, a residual of its shape → [N, T, C]. */
  forward(x: Tensor, context: Tensor, residual?: Tensor): Tensor {
    const queries = this.#split(this.toQ.forward(x)); // [N, T, heads, D]
    const { keys, values } = this.project(context);
    return this.toOut.forward(attention(queries, keys, values).reshape(x.shape), { residual });
  }

  #split(x: Tensor): Tensor {
    return x.reshape([x.dim(0), x.dim(1), this.heads, x.dim(2) / this.heads]);
  }
}

/** Two layers four times as wide as x, gated by GELU. */
export class FeedForward {
  readonly proj: Linear;
  readonly out: Linear;

  constructor(weights: Weights, channels: number) {
    this.proj = new Linear(weights.at("net.0.proj"), channels, 8 * channels);
    this.out = new Linear(weights.at("net.2"), 4 * channels, channels);
  }

  /** x [N, T, C] plus a residual of its shape → [N, T, C]. Frees x. */
  forward(x: Tensor, residual: Tensor): Tensor {
    const wide = consume([x], () => this.proj.forward(x)); // [N, T, 8 C]
    return this.out.forward(consume([wide], geglu), { residual });
  }
}

export class BasicTransformerBlock {
  readonly norm1: LayerNorm;
  readonly attn1: Attention;
  readonly norm2: LayerNorm;
  readonly attn2: Attention;
  readonly norm3: LayerNorm;
  readonly ff: FeedForward;
  readonly #onlyCrossAttention: boolean;

  constructor(weights: Weights, channels: number, { heads, crossAttentionDim, onlyCrossAttention }: TransformerConfig) {
    this.norm1 = new LayerNorm(weights.at("norm1"), channels, 1e-5);
    this.attn1 = new Attention(weights.at("attn1"), channels, onlyCrossAttention ? crossAttentionDim : channels, heads);
    this.norm2 = new LayerNorm(weights.at("norm2"), channels, 1e-5);
    this.attn2 = new Attention(weights.at("attn2"), channels, crossAttentionDim, heads);
    this.norm3 = new LayerNorm(weights.at("norm3"), channels, 1e-5);
    this.ff = new FeedForward(weights.at("ff"), channels);
    this.#onlyCrossAttention = onlyCrossAttention;
  }

  /** x [N, T, C], the text's states [N, M, crossAttentionDim] → [N, T, C]. Frees x. */
  forward(x: Tensor, text: Tensor): Tensor {
    x = consume([x], (h) => {
      const normed = this.norm1.forward(h);
      return this.attn1.forward(normed, this.#onlyCrossAttention ? text : normed, h);
    });
    x = consume([x], (h) => this.attn2.forward(this.norm2.forward(h), text, h));
    return consume([x], (h) => this.ff.forward(this.norm3.forward(h), h));
  }
}

export class Transformer2DModel {
  readonly norm: GroupNorm;
  readonly projIn: Linear | Conv2d;
  readonly transformerBlocks: readonly BasicTransformerBlock[];
  readonly projOut: Linear | Conv2d;

  constructor(weights: Weights, channels: number, config: TransformerConfig) {
    const projection = (name: string) =>
      config.linearProjection ? new Linear(weights.at(name), channels, channels) : new Conv2d(weights.at(name), channels, channels, { kernel: 1 });
    this.norm = new GroupNorm(weights.at("norm"), config.groups, channels, 1e-6);
    this.projIn = projection("proj_in");
    this.transformerBlocks = Array.from({ length: config.layers }, (_, i) => new BasicTransformerBlock(weights.at("transformer_blocks").at(i), channels, config));
    this.projOut = projection("proj_out");
  }

  /** x [N, H, W, C], the text's states [N, M, crossAttentionDim] → [N, H, W, C]. */
  forward(x: Tensor, text: Tensor): Tensor {
    const [n, height, width, channels] = x.shape;
    let tokens = scoped(x.gpu, () => this.projIn.forward(this.norm.forward(x)).reshape([n, height * width, channels]));
    for (const block of this.transformerBlocks) tokens = block.forward(tokens, text);
    return this.projOut.forward(tokens.reshape(x.shape), { residual: x });
  }
}
