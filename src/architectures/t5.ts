// T5: a transformer from text to text (Raffel et al. 2020, arXiv 1910.10683), as transformers' T5EncoderModel and T5ForConditionalGeneration compute it; also T5 1.1 and Flan-T5.
import type { Gpu } from "../gpu/gpu.ts";
import { cast } from "../kernels/copy.ts";
import { affine } from "../kernels/elementwise.ts";
import { linear } from "../kernels/linear.ts";
import { Embedding } from "../nn/embedding.ts";
import { KvCache } from "../nn/kv-cache.ts";
import { Linear } from "../nn/linear.ts";
import { RmsNorm } from "../nn/rms-norm.ts";
import { consume, outliving, scoped } from "../nn/scoped.ts";
import type { MatrixWeight } from "../nn/matrices.ts";
import { packedMatrices } from "../nn/packed-matrices.ts";
import type { Weights, WeightsOptions } from "../nn/weights.ts";
import { expectShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import type { CacheOptions, ForwardOptions } from "./causal-lm.ts";
import { type KeysAndValues, T5DecoderBlock, T5EncoderBlock } from "./t5-blocks.ts";
import { readT5Config, type T5Config } from "./t5-config.ts";
import { RelativeBias } from "./t5-relative-bias.ts";

/** Files repeat the embedding, and the first ones a bias of distances that the decoder does not use. */
const REPEATED = [/^(en|de)coder\.embed_tokens\.weight$/, /^decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight$/];

/** What the checkpoints of encoder-decoders carry besides. */
export const t5Names: Pick<WeightsOptions, "renames" | "unused" | "matrices"> = { matrices: packedMatrices, unused: REPEATED };

/** The same for the encoder alone, which may come with its decoder. */
export const t5EncoderNames: Pick<WeightsOptions, "renames" | "unused" | "matrices"> = { matrices: packedMatrices, unused: [...REPEATED, /^decoder\./, /^lm_head\./] };

/** Relative positions have no end: past maxDistance all are alike. */
const MAX_POSITIONS = 2 ** 20;

/** The embedding, by the first of its names that the file has. */
function sharedEmbedding(weights: Weights, { vocabSize, width }: T5Config): Embedding {
  const name = ["shared", "encoder.embed_tokens", "decoder.embed_tokens"].find((known) => weights.has(`${known}.weight`)) ?? "shared";
  return new Embedding(weights.at(name), vocabSize, width);
}

/** ids i32 [B, T] → [B, T, D] f32. */
function embed(table: Embedding, ids: Tensor): Tensor {
  return scoped(ids.gpu, () => cast(table.forward(ids), "f32"));
}

/** transformers' T5Stack without its embedding, as an encoder. */
class Encoder {
  readonly block: readonly T5EncoderBlock[];
  readonly relativeBias: RelativeBias;
  readonly finalLayerNorm: RmsNorm;

  constructor(weights: Weights, config: T5Config) {
    const { width, heads, buckets, maxDistance, encoderLayers, eps } = config;
    this.block = Array.from({ length: encoderLayers }, (_, i) => new T5EncoderBlock(weights.at("block").at(i), config));
    this.relativeBias = new RelativeBias(weights.at("block.0.layer.0.SelfAttention.relative_attention_bias"), heads, { bidirectional: true, buckets, maxDistance });
    this.finalLayerNorm = new RmsNorm(weights.at("final_layer_norm"), width, { eps });
  }

  /** x [B, S, D] → [B, S, D], normed; x is freed. */
  forward(x: Tensor, keyMask?: Tensor): Tensor {
    const { gpu } = x;
    using scope = gpu.scope();
    const bias = this.relativeBias.forward(x.dim(1), x.dim(1));
    for (const block of this.block) x = consume([x], (h) => block.forward(h, bias, keyMask));
    return scope.keep(consume([x], (h) => this.finalLayerNorm.forward(h)));
  }
}

/** The encoder alone, as pictures and music are conditioned on. */
export class T5EncoderModel {
  readonly config: T5Config;
  readonly shared: Embedding;
  readonly encoder: Encoder;

  /** `json`: the checkpoint's config.json. Throws ConfigError for what is not supported. */
  constructor(weights: Weights, json: unknown) {
    this.config = readT5Config("T5EncoderModel", json);
    this.shared = sharedEmbedding(weights, this.config);
    this.encoder = new Encoder(weights.at("encoder"), this.config);
  }

  /** ids i32 [B, S] → [B, S, D] f32, the states before the first block. */
  embed(ids: Tensor): Tensor {
    return embed(this.shared, ids);
  }

  /** ids i32 [B, S], of which `keyMask` i32 [B, S] marks padding by 0 → the last hidden state [B, S, D], always f32. Throws ShapeError. */
  forward(ids: Tensor, keyMask?: Tensor): Tensor {
    expectShape("t5: ids", ids, [null, null]);
    return this.encoder.forward(this.embed(ids), keyMask);
  }
}

/** The decoder's own keys and values, and those of the text that it looks at. Outlives scopes: whoever asked for it disposes it. */
export class T5Cache {
  /** @internal */
  constructor(readonly own: KvCache, readonly source: readonly KeysAndValues[], readonly sourceMask: Tensor | undefined) {}

  /** Tokens of the answer held. */
  get length(): number {
    return this.own.length;
  }

  dispose(): void {
    this.own.dispose();
    for (const { keys, values } of this.source) [keys, values].forEach((tensor) => tensor.dispose());
    this.sourceMask?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Text to text: `encode` the question, make a cache for it, then feed the answer's tokens from `config.decoderStartTokenId` on. */
export class T5ForConditionalGeneration {
  readonly gpu: Gpu;
  readonly config: T5Config;
  readonly shared: Embedding;
  readonly encoder: Encoder;
  readonly block: readonly T5DecoderBlock[];
  readonly relativeBias: RelativeBias;
  readonly finalLayerNorm: RmsNorm;
  readonly lmHead: MatrixWeight; // [V, D]
  readonly #dtype: "f32" | "f16";

  /** `json`: the checkpoint's config.json. Throws ConfigError for what is not supported. */
  constructor(weights: Weights, json: unknown) {
    this.gpu = weights.gpu;
    this.#dtype = weights.dtype;
    this.config = readT5Config("T5ForConditionalGeneration", json);
    const { vocabSize, width, heads, buckets, maxDistance, decoderLayers, eps } = this.config;
    this.shared = sharedEmbedding(weights, this.config);
    this.encoder = new Encoder(weights.at("encoder"), this.config);
    const decoder = weights.at("decoder");
    this.block = Array.from({ length: decoderLayers }, (_, i) => new T5DecoderBlock(decoder.at("block").at(i), this.config, i));
    this.relativeBias = new RelativeBias(decoder.at("block.0.layer.0.SelfAttention.relative_attention_bias"), heads, { bidirectional: false, buckets, maxDistance });
    this.finalLayerNorm = new RmsNorm(decoder.at("final_layer_norm"), width, { eps });
    this.lmHead = weights.has("lm_head.weight") ? new Linear(weights.at("lm_head"), width, vocabSize, { bias: false }).weight : this.shared.weight;
  }

  get vocabSize(): number {
    return this.config.vocabSize;
  }

  get maxPositions(): number {
    return MAX_POSITIONS;
  }

  /** ids i32 [B, S], of which `keyMask` i32 [B, S] marks padding by 0 → the encoder's last hidden state [B, S, D] f32. Throws ShapeError. */
  encode(ids: Tensor, keyMask?: Tensor): Tensor {
    expectShape("t5: ids", ids, [null, null]);
    return this.encoder.forward(embed(this.shared, ids), keyMask);
  }

  /** A cache for answers to `encoded` [B, S, D], whose keys and values every decoder block computes once. Throws ShapeError. */
  newCache(encoded: Tensor, keyMask?: Tensor, { capacity, dtype = this.#dtype }: CacheOptions = {}): T5Cache {
    const { heads, headSize, decoderLayers, width } = this.config;
    expectShape("t5: encoded", encoded, [null, null, width]);
    const [batch, length] = encoded.shape;
    if (keyMask) expectShape("t5: keyMask", keyMask, [batch, length]);
    const own = new KvCache(this.gpu, { batch, layers: decoderLayers, heads, headSize, dtype, capacity, maxPositions: MAX_POSITIONS });
    const source = this.block.map(({ crossAttention }) => {
      using scope = this.gpu.scope();
      const { keys, values } = crossAttention.keysAndValues(encoded);
      const [k, v] = [keys, values].map((x) => scope.keep(cast(x, dtype)));
      return { keys: k, values: v };
    });
    for (const { keys, values } of source) [keys, values].forEach((tensor) => outliving(() => tensor));
    return new T5Cache(own, source, keyMask && outliving(() => keyMask.view()));
  }

  /** ids i32 [B, T] that follow what the cache holds, which they join → logits f32: [B, T, V], of the last position [B, V], or [B, 0, V]. Records commands only. Throws ShapeError. */
  forward(ids: Tensor, cache: T5Cache, { logits = "last" }: ForwardOptions = {}): Tensor {
    expectShape("t5: ids", ids, [cache.own.batch, null]);
    const [batch, tokens] = ids.shape;
    if (tokens === 0) throw new ShapeError("t5: ids expected at least one token");
    cache.own.reserve(tokens);
    using scope = this.gpu.scope();
    const bias = this.relativeBias.forward(tokens, cache.length + tokens, cache.length);
    let x = embed(this.shared, ids);
    for (const [i, block] of this.block.entries()) x = consume([x], (h) => block.forward(h, cache.own, bias, cache.source[i], cache.sourceMask));
    cache.own.advance(tokens);
    if (logits === "none") return scope.keep(empty(this.gpu, [batch, 0, this.vocabSize], "f32"));
    if (logits === "all") return scope.keep(this.#logits(x));
    return scope.keep(this.#logits(x.slice(1, tokens - 1, tokens)).reshape([batch, this.vocabSize]));
  }

  /** The last block's states [B, T, D] → logits [B, T, V]. */
  #logits(x: Tensor): Tensor {
    const { scaledHead, width } = this.config;
    return scoped(this.gpu, () => {
      const normed = this.finalLayerNorm.forward(x);
      return linear(scaledHead ? affine(normed, width ** -0.5) : normed, this.lmHead);
    });
  }
}
