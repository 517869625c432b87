// T5's layers: what is added to the states is computed from their RMS norm; scores are not scaled, but biased by distance.
// All activations are f32, whatever the weights' type: they pass f16's range in the published models.
import type { AttentionOptions } from "../kernels/attention.ts";
import { decoderAttention } from "../kernels/attention-few.ts";
import { copyInto } from "../kernels/copy.ts";
import { glu } from "../kernels/glu.ts";
import type { KvCache } from "../nn/kv-cache.ts";
import { Linear } from "../nn/linear.ts";
import { RmsNorm } from "../nn/rms-norm.ts";
import type { Weights } from "../nn/weights.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { T5Config } from "./t5-config.ts";

/** Keys and values of a sequence, [B, M, H, headSize] each. */
export interface KeysAndValues {
  readonly keys: Tensor;
  readonly values: Tensor;
}

export class T5Attention {
  readonly q: Linear;
  readonly k: Linear;
  readonly v: Linear;
  readonly o: Linear;

  constructor(weights: Weights, private readonly config: T5Config) {
    const { width, heads, headSize } = config;
    const linear = (name: string, from: number, to: number) => new Linear(weights.at(name), from, to, { bias: false });
    this.q = linear("q", width, heads * headSize);
    this.k = linear("k", width, heads * headSize);
    this.v = linear("v", width, heads * headSize);
    this.o = linear("o", heads * headSize, width);
  }

  /** x [B, M, D], which queries look at. */
  keysAndValues(x: Tensor): KeysAndValues {
    return { keys: this.#heads(this.k.forward(x)), values: this.#heads(this.v.forward(x)) };
  }

  /** x [B, N, D], which looks at keys and values, plus residual [B, N, D] → [B, N, D]. */
  forward(x: Tensor, { keys, values }: KeysAndValues, residual: Tensor, options: Pick<AttentionOptions, "bias" | "keyMask" | "causal" | "start">): Tensor {
    const attended = decoderAttention(this.#heads(this.q.forward(x)), keys, values, { scale: 1, ...options });
    return this.o.forward(attended.reshape([x.dim(0), x.dim(1), -1]), { residual });
  }

  /** [B, N, H · headSize] → [B, N, H, headSize] */
  #heads(x: Tensor): Tensor {
    return x.reshape([x.dim(0), x.dim(1), this.config.heads, this.config.headSize]);
  }
}

/** activation(x Wᵢ) Wₒ, or its gated kind, activation(x Wᵢ₀) · (x Wᵢ₁) Wₒ (Shazeer 2020, arXiv 2002.05202). */
class FeedForward {
  readonly wi: readonly Linear[];
  readonly wo: Linear;

  constructor(weights: Weights, private readonly config: T5Config) {
    const { width, feedForwardWidth, gated } = config;
    this.wi = (gated ? ["wi_0", "wi_1"] : ["wi"]).map((name) => new Linear(weights.at(name), width, feedForwardWidth, { bias: false }));
    this.wo = new Linear(weights.at("wo"), feedForwardWidth, width, { bias: false });
  }

  /** x [B, T, D] plus residual → [B, T, D]. */
  forward(x: Tensor, residual: Tensor): Tensor {
    const { activation } = this.config;
    const [first, second] = this.wi;
    const wide = second ? glu(second.forward(x), first.forward(x), activation) : first.forward(x, { activation }); // [B, T, feedForwardWidth]
    return this.wo.forward(wide, { residual });
  }
}

const norm = (weights: Weights, { width, eps }: T5Config) => new RmsNorm(weights.at("layer_norm"), width, { eps });

export class T5EncoderBlock {
  readonly selfAttention: T5Attention;
  readonly feedForward: FeedForward;
  readonly #norms: readonly [RmsNorm, RmsNorm];

  constructor(weights: Weights, config: T5Config) {
    const [attentionPart, feedForwardPart] = [weights.at("layer.0"), weights.at("layer.1")];
    this.selfAttention = new T5Attention(attentionPart.at("SelfAttention"), config);
    this.feedForward = new FeedForward(feedForwardPart.at("DenseReluDense"), config);
    this.#norms = [norm(attentionPart, config), norm(feedForwardPart, config)];
  }

  /** x [B, S, D] → [B, S, D]. `bias` [H, S, S] of distances; `keyMask` i32 [B, S] hides padding. */
  forward(x: Tensor, bias: Tensor, keyMask?: Tensor): Tensor {
    const h = this.#norms[0].forward(x);
    x = this.selfAttention.forward(h, this.selfAttention.keysAndValues(h), x, { bias, keyMask });
    return this.feedForward.forward(this.#norms[1].forward(x), x);
  }
}

export class T5DecoderBlock {
  readonly selfAttention: T5Attention;
  readonly crossAttention: T5Attention;
  readonly feedForward: FeedForward;
  readonly #norms: readonly [RmsNorm, RmsNorm, RmsNorm];

  constructor(weights: Weights, config: T5Config, private readonly index: number) {
    const [own, cross, feedForward] = [weights.at("layer.0"), weights.at("layer.1"), weights.at("layer.2")];
    this.selfAttention = new T5Attention(own.at("SelfAttention"), config);
    this.crossAttention = new T5Attention(cross.at("EncDecAttention"), config);
    this.feedForward = new FeedForward(feedForward.at("DenseReluDense"), config);
    this.#norms = [norm(own, config), norm(cross, config), norm(feedForward, config)];
  }

  /** x [B, T, D], the tokens that follow those of the cache, which they join → [B, T, D]. `bias` [H, T, all tokens]; `source`: what the encoder gave this layer. */
  forward(x: Tensor, cache: KvCache, bias: Tensor, source: KeysAndValues, sourceMask?: Tensor): Tensor {
    const h = this.#norms[0].forward(x);
    const slot = cache.slot(this.index, x.dim(1));
    const own = this.selfAttention.keysAndValues(h);
    copyInto(own.keys, slot.newKeys);
    copyInto(own.values, slot.newValues);
    x = this.selfAttention.forward(h, slot, x, { bias, causal: true, start: cache.length });
    x = this.crossAttention.forward(this.#norms[1].forward(x), source, x, { keyMask: sourceMask });
    return this.feedForward.forward(this.#norms[2].forward(x), x);
  }
}
