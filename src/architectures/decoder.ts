// The decoder that Llama (Touvron et al. 2023, arXiv 2302.13971) and its relatives share: RMS norms, rotary positions, query heads that share keys, a gated feed-forward part.
import type { Gpu } from "../gpu/gpu.ts";
import { decoderAttention } from "../kernels/attention-few.ts";
import { cast, copyInto } from "../kernels/copy.ts";
import { affine, softCap } from "../kernels/elementwise.ts";
import { rope } from "../kernels/rope.ts";
import { Embedding } from "../nn/embedding.ts";
import { KvCache } from "../nn/kv-cache.ts";
import { Linear } from "../nn/linear.ts";
import { RmsNorm, type RmsNormShape } from "../nn/rms-norm.ts";
import type { Rotary } from "../nn/rotary.ts";
import { consume, scoped } from "../nn/scoped.ts";
import type { Weights } from "../nn/weights.ts";
import { expectShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import type { CacheOptions, CausalLm, ForwardOptions } from "./causal-lm.ts";
import { type FeedForward, type FeedForwardConfig, feedForwardOf } from "./feed-forward.ts";

export interface DecoderLayerConfig {
  /** Which of the decoder's rotary tables; null where the layer knows no positions. */
  readonly rotary: number | null;
  /** Tokens that it sees back from each, itself counted; null: all. */
  readonly window: number | null;
  readonly feedForward: FeedForwardConfig;
}

export interface DecoderConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly maxPositions: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headSize: number;
  /** The embedding is the head, too. */
  readonly tied: boolean;
  /** A factor of the embeddings. */
  readonly embeddingScale: number;
  readonly norm: RmsNormShape;
  /** Where a layer's two parts have norms: on the way in, on the way out, or both. */
  readonly norms: "before" | "after" | "both";
  /** Biases of q, k and v, and of the output. */
  readonly attentionBias: readonly [qkv: boolean, out: boolean];
  /** q, k and v come from one matrix, `qkv_proj`. */
  readonly fusedAttention: boolean;
  /** A norm of queries and keys: none, of each head, or of all heads at once. */
  readonly queryNorm: "none" | "head" | "width";
  /** A factor of q·k. */
  readonly attentionScale: number;
  readonly attentionSoftCap: number | null;
  readonly logitSoftCap: number | null;
  readonly rotary: readonly Rotary[];
  readonly layers: readonly DecoderLayerConfig[];
}

class DecoderAttention {
  readonly project: Projections;
  readonly oProj: Linear;
  readonly qNorm: RmsNorm | null;
  readonly kNorm: RmsNorm | null;

  constructor(weights: Weights, private readonly config: DecoderConfig, private readonly index: number) {
    const { hiddenSize, heads, keyHeads, headSize, norm, queryNorm, attentionBias, fusedAttention } = config;
    this.project = fusedAttention ? fusedProjections(weights, config) : separateProjections(weights, config);
    this.oProj = new Linear(weights.at("o_proj"), heads * headSize, hiddenSize, { bias: attentionBias[1] });
    const [q, k] = queryNorm === "head" ? [headSize, headSize] : [heads * headSize, keyHeads * headSize];
    this.qNorm = queryNorm === "none" ? null : new RmsNorm(weights.at("q_norm"), q, norm);
    this.kNorm = queryNorm === "none" ? null : new RmsNorm(weights.at("k_norm"), k, norm);
  }

  /** x [B, T, D], the tokens that follow those of the cache, which they join → [B, T, D] f32, plus a residual f32 of its shape if given. */
  forward(x: Tensor, cache: KvCache, residual?: Tensor): Tensor {
    const { heads, headSize, attentionScale, attentionSoftCap, layers } = this.config;
    const { rotary, window } = layers[this.index];
    const [batch, tokens] = x.shape;
    const projected = this.project(x);
    const [q, k] = [this.#normed(projected.q, this.qNorm), this.#normed(projected.k, this.kNorm)]; // [B, T, H, headSize], [B, T, keyHeads, headSize]
    const { newKeys, newValues, keys, values } = cache.slot(this.index, tokens);
    const padding = cache.padding ?? undefined;
    const turned = (y: Tensor, table: Tensor, out?: Tensor) => rope(y, table, { start: cache.length, padding, out });
    if (rotary === null) copyInto(k, newKeys);
    else turned(k, cache.table(rotary), newKeys);
    copyInto(projected.v, newValues);
    const queries = rotary === null ? q : turned(q, cache.table(rotary));
    const attended = decoderAttention(queries, keys, values, {
      causal: true, start: cache.length, keyStart: padding, scale: attentionScale, softCap: attentionSoftCap ?? undefined, window: window ?? undefined,
    });
    return this.oProj.forward(attended.reshape([batch, tokens, heads * headSize]), { residual, dtype: "f32" });
  }

  /** x [B, T, heads, headSize] after a norm of each head, or of all heads at once. */
  #normed(x: Tensor, norm: RmsNorm | null): Tensor {
    if (!norm) return x;
    const [batch, tokens, heads, size] = x.shape;
    return this.config.queryNorm === "head" ? norm.forward(x) : norm.forward(x.reshape([batch, tokens, heads * size])).reshape(x.shape);
  }
}

/** x [B, T, D] → q [B, T, heads, headSize], k and v [B, T, keyHeads, headSize]. */
type Projections = (x: Tensor) => Record<"q" | "k" | "v", Tensor>;

function separateProjections(weights: Weights, { hiddenSize, heads, keyHeads, headSize, attentionBias: [bias] }: DecoderConfig): Projections {
  const linear = (name: string, count: number) => {
    const layer = new Linear(weights.at(name), hiddenSize, count * headSize, { bias });
    return (x: Tensor) => layer.forward(x).reshape([x.dim(0), x.dim(1), count, headSize]);
  };
  const [q, k, v] = [linear("q_proj", heads), linear("k_proj", keyHeads), linear("v_proj", keyHeads)];
  return (x) => ({ q: q(x), k: k(x), v: v(x) });
}

function fusedProjections(weights: Weights, { hiddenSize, heads, keyHeads, headSize, attentionBias: [bias] }: DecoderConfig): Projections {
  const all = heads + 2 * keyHeads;
  const layer = new Linear(weights.at("qkv_proj"), hiddenSize, all * headSize, { bias });
  return (x) => {
    const qkv = layer.forward(x).reshape([x.dim(0), x.dim(1), all, headSize]);
    return { q: qkv.slice(2, 0, heads), k: qkv.slice(2, heads, heads + keyHeads), v: qkv.slice(2, heads + keyHeads, all) };
  };
}

class DecoderLayer {
  readonly selfAttn: DecoderAttention;
  readonly mlp: FeedForward;
  readonly #before: readonly [RmsNorm, RmsNorm] | null;
  readonly #after: readonly [RmsNorm, RmsNorm] | null;
  readonly #dtype: "f32" | "f16";

  constructor(weights: Weights, config: DecoderConfig, index: number) {
    this.#dtype = weights.dtype;
    const norm = (name: string) => new RmsNorm(weights.at(name), config.hiddenSize, config.norm);
    this.selfAttn = new DecoderAttention(weights.at("self_attn"), config, index);
    this.mlp = feedForwardOf(weights.at("mlp"), config.hiddenSize, config.layers[index].feedForward);
    this.#before = config.norms === "after" ? null : [norm("input_layernorm"), norm(config.norms === "both" ? "pre_feedforward_layernorm" : "post_attention_layernorm")];
    this.#after = config.norms === "before" ? null : [norm("post_attention_layernorm"), norm("post_feedforward_layernorm")];
  }

  /** x [B, T, D] f32 → [B, T, D] f32; keys and values join the cache. */
  forward(x: Tensor, cache: KvCache): Tensor {
    x = this.#around(0, x, (h, residual) => this.selfAttn.forward(h, cache, residual));
    return this.#around(1, x, (h, residual) => this.mlp.forward(h, residual));
  }

  /** x plus a part of it, with the part's norms. */
  #around(part: 0 | 1, x: Tensor, inner: (h: Tensor, residual?: Tensor) => Tensor): Tensor {
    const h = this.#before ? this.#before[part].forward(x, { dtype: this.#dtype }) : typed(x, this.#dtype);
    return this.#after ? this.#after[part].forward(inner(h), { residual: x }) : inner(h, x);
  }
}

/** x in another type; x itself where it has it. */
function typed(x: Tensor, dtype: "f32" | "f16"): Tensor {
  return x.dtype === dtype ? x : cast(x, dtype);
}

export class Decoder implements CausalLm {
  readonly gpu: Gpu;
  readonly embedTokens: Embedding;
  readonly layers: readonly DecoderLayer[];
  readonly norm: RmsNorm;
  /** null where the embedding is the head, too. */
  readonly lmHead: Linear | null;
  readonly #dtype: "f32" | "f16";

  constructor(weights: Weights, readonly config: DecoderConfig) {
    const { vocabSize, hiddenSize } = config;
    const model = weights.at("model");
    this.gpu = weights.gpu;
    this.#dtype = weights.dtype;
    this.embedTokens = new Embedding(model.at("embed_tokens"), vocabSize, hiddenSize);
    this.layers = config.layers.map((_, i) => new DecoderLayer(model.at("layers").at(i), config, i));
    this.norm = new RmsNorm(model.at("norm"), hiddenSize, config.norm);
    this.lmHead = config.tied ? null : new Linear(weights.at("lm_head"), hiddenSize, vocabSize, { bias: false });
  }

  get vocabSize(): number {
    return this.config.vocabSize;
  }

  get maxPositions(): number {
    return this.config.maxPositions;
  }

  newCache(batch: number, { capacity, dtype = this.#dtype }: CacheOptions = {}): KvCache {
    const { layers, keyHeads, headSize, maxPositions, rotary } = this.config;
    return new KvCache(this.gpu, { batch, layers: layers.length, heads: keyHeads, headSize, dtype, capacity, maxPositions, rotary });
  }

  /** ids i32 [B, T] → [B, T, D] f32, the states before the first layer. */
  embed(ids: Tensor): Tensor {
    const { embeddingScale } = this.config;
    return scoped(this.gpu, () => {
      const rows = typed(this.embedTokens.forward(ids), "f32");
      return embeddingScale === 1 ? rows : affine(rows, embeddingScale);
    });
  }

  forward(ids: Tensor, cache: KvCache, { logits = "last" }: ForwardOptions = {}): Tensor {
    expectShape("forward: ids", ids, [cache.batch, null]);
    const [batch, tokens] = ids.shape;
    if (tokens === 0) throw new ShapeError("forward: ids expected at least one token");
    cache.reserve(tokens);
    using scope = this.gpu.scope();
    let x = this.embed(ids);
    for (const layer of this.layers) x = consume([x], (h) => layer.forward(h, cache));
    cache.advance(tokens);
    if (logits === "none") return scope.keep(empty(this.gpu, [batch, 0, this.vocabSize], "f32"));
    return scope.keep(logits === "all" ? this.logits(x) : this.logits(x.slice(1, tokens - 1, tokens)).reshape([batch, this.vocabSize]));
  }

  /** The last layer's states [B, T, D] → logits f32 [B, T, V]. */
  logits(x: Tensor): Tensor {
    const { logitSoftCap } = this.config;
    return scoped(this.gpu, () => {
      const states = this.norm.forward(x, { dtype: this.#dtype });
      const logits = this.lmHead ? this.lmHead.forward(states, { dtype: "f32" }) : this.embedTokens.scores(states, { dtype: "f32" });
      return logitSoftCap === null ? logits : softCap(logits, logitSoftCap);
    });
  }
}
