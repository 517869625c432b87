// What the configs of Llama and its relatives have in common.
import type { Activation } from "../kernels/activation.ts";
import { type Config, ConfigError } from "../nn/config.ts";
import type { Weights, WeightsOptions } from "../nn/weights.ts";
import type { CausalLmBuilder } from "./causal-lm.ts";
import { Decoder, type DecoderConfig } from "./decoder.ts";
import type { GatedMlpConfig } from "./feed-forward.ts";

/** transformers' names of activations. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: "silu", swish: "silu", gelu: "gelu", gelu_new: "gelu-tanh", gelu_pytorch_tanh: "gelu-tanh", relu: "relu", quick_gelu: "quick-gelu",
};

/** Keys about training, files, special tokens, and how publishers made the model. */
const WITHOUT_EFFECT = [
  "architectures", "attention_dropout", "attention_probs_dropout_prob", "auto_map", "bos_token_id", "cache_implementation", "dtype", "embd_pdrop", "eos_token_id", "hidden_dropout", "initializer_range",
  "is_llama_config", "keys_to_ignore_at_inference", "max_length", "model_type", "output_attentions", "output_hidden_states", "pad_token_id", "pretraining_tp", "resid_pdrop", "return_dict", "torch_dtype",
  "transformers.js_config", "transformers_version", "unsloth_fixed", "unsloth_version", "use_cache",
];

/** What a class takes for granted where its config is silent. */
export interface DecoderDefaults {
  readonly tied?: boolean;
  readonly eps?: number;
  readonly maxPositions?: number;
  /** Channels of a head, where it is no share of the hidden size. */
  readonly headSize?: number;
  readonly keyHeads?: number;
  readonly heads?: number;
  readonly vocabSize?: number;
}

export type DecoderSizes = Pick<DecoderConfig, "vocabSize" | "hiddenSize" | "maxPositions" | "heads" | "keyHeads" | "headSize" | "tied"> & { readonly layerCount: number; readonly eps: number };

/** Sizes under the names that all of them use. Throws ConfigError where heads do not divide. */
export function readSizes(config: Config, defaults: DecoderDefaults = {}): DecoderSizes {
  const hiddenSize = config.count("hidden_size");
  const heads = config.count("num_attention_heads", defaults.heads);
  const keyHeads = config.count("num_key_value_heads", defaults.keyHeads ?? heads);
  const headSize = config.count("head_dim", defaults.headSize ?? hiddenSize / heads);
  if (heads % keyHeads) throw new ConfigError(`${config.name}: config key "num_key_value_heads" expected a divisor of ${heads}, got ${keyHeads}`);
  if (headSize % 2) throw new ConfigError(`${config.name}: config key "head_dim" expected an even number, got ${headSize}`);
  return {
    hiddenSize, heads, keyHeads, headSize,
    vocabSize: config.count("vocab_size", defaults.vocabSize),
    layerCount: config.count("num_hidden_layers"),
    maxPositions: config.count("max_position_embeddings", defaults.maxPositions ?? 2048),
    tied: config.boolean("tie_word_embeddings", defaults.tied ?? false),
    eps: config.number("rms_norm_eps", defaults.eps ?? 1e-6),
  };
}

/** The activation under a key of transformers' names. */
export function readActivation(config: Config, key: string, fallback: string): Activation {
  return ACTIVATIONS[config.oneOf(key, Object.keys(ACTIVATIONS), fallback)];
}

/** The gated feed-forward part of a config that says `intermediate_size` and `hidden_act`. */
export function readGatedMlp(config: Config, { bias = false, fused = false, activation = readActivation(config, "hidden_act", "silu") }: Partial<Pick<GatedMlpConfig, "bias" | "fused" | "activation">> = {}): GatedMlpConfig {
  return { kind: "gated", width: config.count("intermediate_size"), activation, bias, fused };
}

/** The kind of attention of each layer: `layer_types` as written, else by `fallback`. Throws ConfigError. */
export function readLayerTypes(config: Config, count: number, fallback: (layer: number) => "sliding_attention" | "full_attention"): readonly ("sliding_attention" | "full_attention")[] {
  const types = config.listOf("layer_types", ["sliding_attention", "full_attention"], Array.from({ length: count }, (_, i) => fallback(i)));
  if (types.length !== count) throw new ConfigError(`${config.name}: config key "layer_types" expected ${count} of them, got ${types.length}`);
  return types;
}

/** A number, or null where it says so; `fallback` where it says nothing. */
export function readNullable(config: Config, key: string, fallback: number | null): number | null {
  const value = config.get(key);
  if (value === undefined) return fallback;
  return value === null ? null : config.number(key);
}

/** `sliding_window`: tokens that a layer sees back. */
export function readWindow(config: Config, fallback: number | null): number | null {
  return readNullable(config, "sliding_window", fallback) === null ? null : config.count("sliding_window", fallback ?? undefined);
}

/** Without the parts that only some of them have: norms on the way in, nothing scaled or capped. */
export function plainDecoder({ layerCount: _, eps, ...sizes }: DecoderSizes): Omit<DecoderConfig, "rotary" | "layers"> {
  return {
    ...sizes, embeddingScale: 1, norm: { eps }, norms: "before", attentionBias: [false, false], fusedAttention: false, queryNorm: "none",
    attentionScale: 1 / Math.sqrt(sizes.headSize), attentionSoftCap: null, logitSoftCap: null,
  };
}

/** Refuses what nobody read, but for what has no effect. Throws ConfigError. */
export function finish(config: Config): void {
  config.ignore(...WITHOUT_EFFECT);
  config.finish();
}

/** Refuses what nobody read, and gives the builder of the decoder. */
export function decoderBuilder(config: Config, read: DecoderConfig): CausalLmBuilder {
  finish(config);
  const maxPositions = Math.min(read.maxPositions, ...read.rotary.map(({ reach }) => reach ?? read.maxPositions));
  return { names: decoderNames(read), create: (weights: Weights) => new Decoder(weights, { ...read, maxPositions }) };
}

/** Older files store the rotary frequencies, and a tied head twice. */
function decoderNames({ tied }: DecoderConfig): Pick<WeightsOptions, "renames" | "unused"> {
  return { renames: [], unused: [/rotary_emb\.inv_freq$/, ...(tied ? [/^lm_head\.weight$/] : [])] };
}
