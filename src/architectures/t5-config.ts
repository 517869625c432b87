// The configs of T5 1.0 (Raffel et al. 2020, arXiv 1910.10683), T5 1.1 and Flan-T5 (Chung et al. 2022, arXiv 2210.11416), as transformers' T5Config reads them.
import type { Activation } from "../kernels/activation.ts";
import { Config } from "../nn/config.ts";

export interface T5Config {
  readonly vocabSize: number;
  readonly width: number;
  readonly heads: number;
  /** Features of a head; heads · headSize need not be the width. */
  readonly headSize: number;
  readonly feedForwardWidth: number;
  readonly activation: Activation;
  readonly gated: boolean;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly buckets: number;
  readonly maxDistance: number;
  readonly eps: number;
  /** The head's input is divided by √width, as T5 1.0 was trained. */
  readonly scaledHead: boolean;
  /** What the decoder's text begins with. */
  readonly decoderStartTokenId: number;
}

/** transformers' names of activations. */
const ACTIVATIONS = { relu: "relu", gelu: "gelu", gelu_new: "gelu-tanh", gelu_pytorch_tanh: "gelu-tanh", silu: "silu", swish: "silu" } as const satisfies Readonly<Record<string, Activation>>;
type ActivationName = keyof typeof ACTIVATIONS;
const NAMES = Object.keys(ACTIVATIONS) as readonly ActivationName[];

/** What the config also says: about training, files and text generation. */
const WITHOUT_EFFECT = [
  "architectures", "bos_token_id", "classifier_dropout", "dropout_rate", "dtype", "eos_token_id", "initializer_factor", "is_encoder_decoder", "n_positions", "output_past", "pad_token_id",
  "task_specific_params", "torch_dtype", "transformers_version", "use_cache",
  "chunk_size_feed_forward", "diversity_penalty", "encoder_no_repeat_ngram_size", "finetuning_task", "id2label", "label2id", "length_penalty", "max_length", "min_length", "no_repeat_ngram_size",
  "num_beam_groups", "num_beams", "num_return_sequences", "problem_type", "pruned_heads", "repetition_penalty", "return_dict", "temperature", "tokenizer_class", "top_k", "top_p", "typical_p",
];

/** `json`: a checkpoint's config.json. Throws ConfigError for what is not supported. */
export function readT5Config(name: string, json: unknown): T5Config {
  const config = new Config(name, json);
  config.oneOf("model_type", ["t5"], "t5");
  const encoderLayers = config.count("num_layers", 6);
  const read = {
    vocabSize: config.count("vocab_size", 32128),
    width: config.count("d_model", 512),
    heads: config.count("num_heads", 8),
    headSize: config.count("d_kv", 64),
    feedForwardWidth: config.count("d_ff", 2048),
    ...feedForward(config),
    encoderLayers,
    decoderLayers: config.get("num_decoder_layers") === null ? encoderLayers : config.count("num_decoder_layers", encoderLayers),
    buckets: config.count("relative_attention_num_buckets", 32),
    maxDistance: config.count("relative_attention_max_distance", 128),
    eps: config.number("layer_norm_epsilon", 1e-6),
    scaledHead: scaledHead(config),
    decoderStartTokenId: config.number("decoder_start_token_id", 0),
  };
  config.ignore(...WITHOUT_EFFECT);
  config.finish();
  return read;
}

/** "relu", "gated-gelu" …; "gated-gelu" means gelu's approximation by tanh. Later files also say the two halves. */
function feedForward(config: Config): Pick<T5Config, "activation" | "gated"> {
  const kind = config.oneOf("feed_forward_proj", [...NAMES, ...NAMES.map((name) => `gated-${name}` as const)], "relu");
  const plain = kind.replace("gated-", "");
  const named = config.oneOf("dense_act_fn", NAMES, kind === "gated-gelu" ? "gelu_new" : NAMES.find((name) => name === plain));
  return { activation: ACTIVATIONS[named], gated: config.boolean("is_gated_act", kind !== plain) };
}

/** Published files say by an untied head that it is not scaled either; transformers 5 writes it out. */
function scaledHead(config: Config): boolean {
  return config.boolean("scale_decoder_outputs", config.boolean("tie_word_embeddings", true));
}
