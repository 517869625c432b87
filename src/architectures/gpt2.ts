// GPT-2 (Radford et al. 2019): learned positions, layer norms, biases everywhere, as transformers' GPT2LMHeadModel computes it.
import type { Gpu } from "../gpu/gpu.ts";
import type { Activation } from "../kernels/activation.ts";
import { decoderAttention } from "../kernels/attention-few.ts";
import { copyInto } from "../kernels/copy.ts";
import { add } from "../kernels/elementwise.ts";
import { matmul } from "../kernels/matmul.ts";
import { Config, ConfigError } from "../nn/config.ts";
import { Embedding } from "../nn/embedding.ts";
import { KvCache } from "../nn/kv-cache.ts";
import { Linear, type LinearEpilogue } from "../nn/linear.ts";
import { LayerNorm } from "../nn/norm.ts";
import { consume, scoped } from "../nn/scoped.ts";
import type { Weight, Weights, WeightsOptions } from "../nn/weights.ts";
import { expectShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor, upload } from "../tensor/tensor.ts";
import type { CacheOptions, CausalLm, CausalLmBuilder, ForwardOptions } from "./causal-lm.ts";
import { readActivation } from "./decoder-config.ts";

export interface Gpt2Config {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly innerSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly maxPositions: number;
  readonly eps: number;
  readonly activation: Activation;
  readonly tied: boolean;
  /** A factor of q·k for each layer. */
  readonly attentionScale: (layer: number) => number;
}

/** Keys about training, files, special tokens and heads for other tasks. */
const WITHOUT_EFFECT = [
  "architectures", "attn_pdrop", "bos_token_id", "dtype", "embd_pdrop", "eos_token_id", "gradient_checkpointing", "initializer_range", "model_type", "n_ctx", "output_past", "pad_token_id",
  "reorder_and_upcast_attn", "resid_pdrop", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj", "task_specific_params", "torch_dtype",
  "transformers_version", "use_cache",
];

/** The first files have no prefix; older ones store the causal mask. */
const NAMES: Pick<WeightsOptions, "renames" | "unused"> = {
  renames: [[/^(?!transformer\.|lm_head\.)/, "transformer."]],
  unused: [/^(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)$/],
};

/** Throws ConfigError for what is not supported. */
export function gpt2(json: unknown): CausalLmBuilder {
  const read = readConfig(new Config("GPT2LMHeadModel", json));
  const unused = [...(NAMES.unused ?? []), ...(read.tied ? [/^lm_head\.weight$/] : [])];
  return { names: { ...NAMES, unused }, create: (weights) => new Gpt2(weights, read) };
}

/** y = x W + b, its weight stored [in, out]. */
class Conv1D {
  readonly weight: Weight; // [in, out]
  readonly bias: Weight; // [out]

  constructor(weights: Weights, inFeatures: number, outFeatures: number) {
    this.weight = weights.take("weight", [inFeatures, outFeatures]);
    this.bias = weights.take("bias", [outFeatures]);
  }

  forward(x: Tensor, epilogue: LinearEpilogue = {}): Tensor {
    return matmul(x, this.weight, { bias: this.bias, ...epilogue });
  }
}

class Gpt2Block {
  readonly ln1: LayerNorm;
  readonly cAttn: Conv1D;
  readonly attnProj: Conv1D;
  readonly ln2: LayerNorm;
  readonly cFc: Conv1D;
  readonly mlpProj: Conv1D;

  constructor(weights: Weights, private readonly config: Gpt2Config, private readonly index: number) {
    const { hiddenSize, innerSize, eps } = config;
    this.ln1 = new LayerNorm(weights.at("ln_1"), hiddenSize, eps);
    this.cAttn = new Conv1D(weights.at("attn.c_attn"), hiddenSize, 3 * hiddenSize);
    this.attnProj = new Conv1D(weights.at("attn.c_proj"), hiddenSize, hiddenSize);
    this.ln2 = new LayerNorm(weights.at("ln_2"), hiddenSize, eps);
    this.cFc = new Conv1D(weights.at("mlp.c_fc"), hiddenSize, innerSize);
    this.mlpProj = new Conv1D(weights.at("mlp.c_proj"), innerSize, hiddenSize);
  }

  /** x [B, T, D] → [B, T, D]; keys and values join the cache. */
  forward(x: Tensor, cache: KvCache): Tensor {
    const { heads, activation, attentionScale } = this.config;
    const [batch, tokens, width] = x.shape;
    const fused = this.cAttn.forward(this.ln1.forward(x)).reshape([batch, tokens, 3 * heads, width / heads]);
    const [q, k, v] = [0, 1, 2].map((part) => fused.slice(2, part * heads, (part + 1) * heads)); // each [B, T, heads, D / heads]
    const { newKeys, newValues, keys, values } = cache.slot(this.index, tokens);
    copyInto(k, newKeys);
    copyInto(v, newValues);
    const attended = decoderAttention(q, keys, values, { causal: true, start: cache.length, keyStart: cache.padding ?? undefined, scale: attentionScale(this.index) });
    const h = this.attnProj.forward(attended.reshape(x.shape), { residual: x });
    return this.mlpProj.forward(this.cFc.forward(this.ln2.forward(h), { activation }), { residual: h });
  }
}

export class Gpt2 implements CausalLm {
  readonly gpu: Gpu;
  readonly wte: Embedding;
  readonly wpe: Embedding;
  readonly layers: readonly Gpt2Block[];
  readonly lnF: LayerNorm;
  /** null where the embedding is the head, too. */
  readonly lmHead: Linear | null;
  readonly #dtype: "f32" | "f16";

  constructor(weights: Weights, readonly config: Gpt2Config) {
    const { vocabSize, hiddenSize, maxPositions, eps, layers, tied } = config;
    const model = weights.at("transformer");
    this.gpu = weights.gpu;
    this.#dtype = weights.dtype;
    this.wte = new Embedding(model.at("wte"), vocabSize, hiddenSize);
    this.wpe = new Embedding(model.at("wpe"), maxPositions, hiddenSize);
    this.layers = Array.from({ length: layers }, (_, i) => new Gpt2Block(model.at("h").at(i), config, i));
    this.lnF = new LayerNorm(model.at("ln_f"), hiddenSize, eps);
    this.lmHead = tied ? null : new Linear(weights.at("lm_head"), hiddenSize, vocabSize, { bias: false });
  }

  get vocabSize(): number {
    return this.config.vocabSize;
  }

  get maxPositions(): number {
    return this.config.maxPositions;
  }

  newCache(batch: number, { capacity, dtype = this.#dtype }: CacheOptions = {}): KvCache {
    const { layers, heads, hiddenSize, maxPositions } = this.config;
    return new KvCache(this.gpu, { batch, layers, heads, headSize: hiddenSize / heads, dtype, capacity, maxPositions });
  }

  /** ids i32 [B, T] that follow the cache's → [B, T, D], the states before the first layer. */
  embed(ids: Tensor, cache: KvCache): Tensor {
    return scoped(this.gpu, () => {
      const positions = cache.positions(ids.dim(1)); // one row for all, or one each
      return add(this.wte.forward(ids), this.wpe.forward(upload(this.gpu, positions, [positions.length / ids.dim(1), ids.dim(1)], "i32")));
    });
  }

  forward(ids: Tensor, cache: KvCache, { logits = "last" }: ForwardOptions = {}): Tensor {
    expectShape("forward: ids", ids, [cache.batch, null]);
    const [batch, tokens] = ids.shape;
    if (tokens === 0) throw new ShapeError("forward: ids expected at least one token");
    cache.reserve(tokens);
    using scope = this.gpu.scope();
    let x = this.embed(ids, cache);
    for (const layer of this.layers) x = consume([x], (h) => layer.forward(h, cache));
    cache.advance(tokens);
    if (logits === "none") return scope.keep(empty(this.gpu, [batch, 0, this.vocabSize], "f32"));
    return scope.keep(logits === "all" ? this.logits(x) : this.logits(x.slice(1, tokens - 1, tokens)).reshape([batch, this.vocabSize]));
  }

  /** The last layer's states [B, T, D] → logits f32 [B, T, V]. */
  logits(x: Tensor): Tensor {
    return scoped(this.gpu, () => {
      const states = this.lnF.forward(x);
      return this.lmHead ? this.lmHead.forward(states, { dtype: "f32" }) : this.wte.scores(states, { dtype: "f32" });
    });
  }
}

function readConfig(config: Config): Gpt2Config {
  const hiddenSize = config.count("n_embd", 768);
  const heads = config.count("n_head", 12);
  if (hiddenSize % heads) throw new ConfigError(`${config.name}: config key "n_head" expected a divisor of ${hiddenSize}, got ${heads}`);
  const scale = config.boolean("scale_attn_weights", true) ? 1 / Math.sqrt(hiddenSize / heads) : 1;
  const byLayer = config.boolean("scale_attn_by_inverse_layer_idx", false);
  const read = {
    hiddenSize, heads,
    vocabSize: config.count("vocab_size", 50257),
    innerSize: config.count("n_inner", 4 * hiddenSize),
    layers: config.count("n_layer", 12),
    maxPositions: config.count("n_positions", 1024),
    eps: config.number("layer_norm_epsilon", 1e-5),
    activation: readActivation(config, "activation_function", "gelu_new"),
    tied: config.boolean("tie_word_embeddings", true),
    attentionScale: (layer: number) => (byLayer ? scale / (layer + 1) : scale),
  };
  config.ignore(...WITHOUT_EFFECT);
  config.finish();
  return read;
}
