// CLIP's text encoder: a causal transformer over tokens (Radford et al. 2021, arXiv 2103.00020), as transformers' CLIPTextModel computes it.
import type { Activation } from "../kernels/activation.ts";
import { attention } from "../kernels/attention.ts";
import { add } from "../kernels/elementwise.ts";
import { embedding } from "../kernels/embedding.ts";
import { Config, ConfigError } from "../nn/config.ts";
import { Embedding } from "../nn/embedding.ts";
import { Linear } from "../nn/linear.ts";
import { LayerNorm } from "../nn/norm.ts";
import { scoped } from "../nn/scoped.ts";
import type { Weight, Weights, WeightsOptions } from "../nn/weights.ts";
import { formatShape, ShapeError } from "../tensor/shape.ts";
import { type Tensor, upload } from "../tensor/tensor.ts";

export interface ClipTextConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly maxPositionEmbeddings: number;
  readonly activation: Activation;
  readonly layerNormEps: number;
  readonly eosTokenId: number;
  /** Features of the projection, where the checkpoint has one. */
  readonly projectionDim: number;
}

/** transformers' names of activations. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  quick_gelu: "quick-gelu", gelu: "gelu", gelu_new: "gelu-tanh", gelu_pytorch_tanh: "gelu-tanh", relu: "relu", silu: "silu", swish: "silu",
};

/** What the config also says: about training, files and text generation. */
const WITHOUT_EFFECT = [
  "architectures", "attention_dropout", "bos_token_id", "dropout", "dtype", "initializer_factor", "initializer_range", "model_type", "pad_token_id", "torch_dtype", "transformers_version",
  "chunk_size_feed_forward", "diversity_penalty", "encoder_no_repeat_ngram_size", "id2label", "label2id", "length_penalty", "max_length", "min_length", "no_repeat_ngram_size", "num_beam_groups",
  "num_beams", "num_return_sequences", "output_attentions", "output_hidden_states", "pruned_heads", "repetition_penalty", "return_dict", "temperature", "tie_word_embeddings", "top_k", "top_p", "typical_p",
  "use_cache",
];

/** The published configs' mistaken eos_token_id, where the end token is the largest id of a row instead. */
const LEGACY_EOS = 2;

/** transformers 5 drops `text_model.`, which published files have, with the position numbers that older ones stored. */
export const clipTextNames: Pick<WeightsOptions, "renames" | "unused"> = {
  renames: [[/^text_model\./, ""]],
  unused: [/embeddings\.position_ids$/],
};

class ClipLayer {
  readonly layerNorm1: LayerNorm;
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly outProj: Linear;
  readonly layerNorm2: LayerNorm;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly #heads: number;
  readonly #activation: Activation;

  constructor(weights: Weights, { hiddenSize, intermediateSize, heads, activation, layerNormEps }: ClipTextConfig) {
    const [attn, mlp] = [weights.at("self_attn"), weights.at("mlp")];
    this.layerNorm1 = new LayerNorm(weights.at("layer_norm1"), hiddenSize, layerNormEps);
    this.qProj = new Linear(attn.at("q_proj"), hiddenSize, hiddenSize);
    this.kProj = new Linear(attn.at("k_proj"), hiddenSize, hiddenSize);
    this.vProj = new Linear(attn.at("v_proj"), hiddenSize, hiddenSize);
    this.outProj = new Linear(attn.at("out_proj"), hiddenSize, hiddenSize);
    this.layerNorm2 = new LayerNorm(weights.at("layer_norm2"), hiddenSize, layerNormEps);
    this.fc1 = new Linear(mlp.at("fc1"), hiddenSize, intermediateSize);
    this.fc2 = new Linear(mlp.at("fc2"), intermediateSize, hiddenSize);
    this.#heads = heads;
    this.#activation = activation;
  }

  /** x [N, T, D] → [N, T, D]; each token sees itself and those before it. */
  forward(x: Tensor): Tensor {
    const [n, tokens, width] = x.shape;
    const split = (y: Tensor) => y.reshape([n, tokens, this.#heads, width / this.#heads]);
    const normed = this.layerNorm1.forward(x);
    const attended = attention(split(this.qProj.forward(normed)), split(this.kProj.forward(normed)), split(this.vProj.forward(normed)), { causal: true });
    const h = this.outProj.forward(attended.reshape(x.shape), { residual: x });
    const wide = this.fc1.forward(this.layerNorm2.forward(h), { activation: this.#activation }); // [N, T, intermediateSize]
    return this.fc2.forward(wide, { residual: h });
  }
}

export class ClipTextModel {
  readonly config: ClipTextConfig;
  readonly tokenEmbedding: Embedding;
  readonly positionEmbedding: Weight; // [maxPositionEmbeddings, D]
  readonly layers: readonly ClipLayer[];
  readonly finalLayerNorm: LayerNorm;
  /** Of CLIPTextModelWithProjection; null where the checkpoint has none. */
  readonly textProjection: Linear | null;

  /** `json`: the checkpoint's config.json. Throws ConfigError for what is not supported. */
  constructor(weights: Weights, json: unknown) {
    this.config = readConfig(new Config("CLIPTextModel", json));
    const { vocabSize, hiddenSize, layers, maxPositionEmbeddings, layerNormEps, projectionDim } = this.config;
    this.tokenEmbedding = new Embedding(weights.at("embeddings.token_embedding"), vocabSize, hiddenSize);
    this.positionEmbedding = weights.at("embeddings.position_embedding").take("weight", [maxPositionEmbeddings, hiddenSize]);
    this.layers = Array.from({ length: layers }, (_, i) => new ClipLayer(weights.at("encoder.layers").at(i), this.config));
    this.finalLayerNorm = new LayerNorm(weights.at("final_layer_norm"), hiddenSize, layerNormEps);
    this.textProjection = weights.has("text_projection.weight") ? new Linear(weights.at("text_projection"), hiddenSize, projectionDim, { bias: false }) : null;
  }

  /** ids i32 [N, T] → the states before each layer and after the last, and the last after its norm, each [N, T, D]. Throws ShapeError past maxPositionEmbeddings. */
  forward(ids: Tensor): { hiddenStates: readonly Tensor[]; lastHiddenState: Tensor } {
    const { gpu } = ids;
    const { maxPositionEmbeddings } = this.config;
    if (ids.rank !== 2 || ids.dim(1) > maxPositionEmbeddings) throw new ShapeError(`clip: ids expected [N, T ≤ ${maxPositionEmbeddings}], got ${formatShape(ids.shape)}`);
    const hiddenStates = [scoped(gpu, () => add(this.tokenEmbedding.forward(ids), this.positionEmbedding.slice(0, 0, ids.dim(1))))]; // [N, T, D]
    for (const [i, layer] of this.layers.entries()) hiddenStates.push(scoped(gpu, () => layer.forward(hiddenStates[i])));
    return { hiddenStates, lastHiddenState: this.finalLayerNorm.forward(hiddenStates[this.layers.length]) };
  }

  /** The last hidden state [N, T, D] at each row's end token, [N, D]. `ids`: the rows that made it. */
  pool(lastHiddenState: Tensor, ids: readonly (readonly number[] | Int32Array)[]): Tensor {
    const { gpu } = lastHiddenState;
    const [, tokens, width] = lastHiddenState.shape;
    using scope = gpu.scope();
    const rows = Int32Array.from(ids, (row, n) => n * tokens + endOf(row, this.config.eosTokenId));
    return scope.keep(embedding(upload(gpu, rows, [rows.length], "i32"), lastHiddenState.reshape([-1, width])));
  }

  /** `pool`, projected to the space shared with pictures, [N, projectionDim]; for checkpoints that have the projection. */
  textEmbeds(lastHiddenState: Tensor, ids: readonly (readonly number[] | Int32Array)[]): Tensor {
    const projection = this.textProjection;
    if (!projection) throw new ConfigError("CLIPTextModel: this checkpoint has no text_projection");
    return scoped(lastHiddenState.gpu, () => projection.forward(this.pool(lastHiddenState, ids)));
  }
}

/** Where the end token first stands; 0 where it is missing, as in transformers. */
function endOf(ids: readonly number[] | Int32Array, eosTokenId: number): number {
  const end = eosTokenId === LEGACY_EOS ? Math.max(...ids) : eosTokenId;
  return Math.max(0, ids.indexOf(end));
}

function readConfig(config: Config): ClipTextConfig {
  const read = {
    vocabSize: config.count("vocab_size", 49408),
    hiddenSize: config.count("hidden_size", 512),
    intermediateSize: config.count("intermediate_size", 2048),
    layers: config.count("num_hidden_layers", 12),
    heads: config.count("num_attention_heads", 8),
    maxPositionEmbeddings: config.count("max_position_embeddings", 77),
    activation: ACTIVATIONS[config.oneOf("hidden_act", Object.keys(ACTIVATIONS), "quick_gelu")],
    layerNormEps: config.number("layer_norm_eps", 1e-5),
    eosTokenId: config.number("eos_token_id", 49407),
    projectionDim: config.count("projection_dim", 512),
  };
  if (read.hiddenSize % read.heads) throw new ConfigError(`${config.name}: config key "num_attention_heads" expected a divisor of ${read.hiddenSize}, got ${read.heads}`);
  config.ignore(...WITHOUT_EFFECT);
  config.finish();
  return read;
}
