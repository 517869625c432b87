// A GGUF file as the model that transformers would publish: config.json, generation_config.json, chat template, tensors.
import { configOfGguf, type GgufFacts } from "./gguf-config.ts";
import { FormatError } from "./errors.ts";
import { GgufFields } from "./gguf-fields.ts";
import type { Gguf } from "./gguf.ts";
import type { GgufMetadata } from "./gguf-header.ts";
import { tensorsOfGguf, valuesOf } from "./gguf-tensors.ts";
import type { JsonObject } from "./json.ts";
import type { TensorFile } from "./safetensors.ts";

export interface GgufModel {
  /** For the tokenizer. */
  readonly metadata: GgufMetadata;
  /** config.json as transformers would have it. */
  readonly config: JsonObject;
  /** generation_config.json: how its publisher samples, where the file says. Which tokens end a turn, the tokenizer knows. */
  readonly generationConfig: JsonObject;
  /** Jinja, null where there is none. */
  readonly chatTemplate: string | null;
  /** The tensors under transformers' published names, in its shapes, order and values. Blocks stay blocks. */
  readonly checkpoint: TensorFile;
}

/** Reads the model out of its metadata. Throws FormatError naming an architecture, or a key, that is not supported. */
export async function modelOfGguf(gguf: Gguf, signal?: AbortSignal): Promise<GgufModel> {
  const fields = new GgufFields(gguf.name, gguf.metadata);
  const config = configOfGguf(fields, await factsOf(gguf, signal));
  return {
    metadata: gguf.metadata, config, checkpoint: tensorsOfGguf(gguf, config),
    generationConfig: generationConfigOf(fields), chatTemplate: fields.string("tokenizer.chat_template"),
  };
}

const maxRopeFactors = 4096;

async function factsOf({ name, checkpoint }: Gguf, signal?: AbortSignal): Promise<GgufFacts> {
  const { tensors } = checkpoint;
  const has = (pattern: RegExp): boolean => [...tensors.keys()].some((tensor) => pattern.test(tensor));
  const factors = async (tensor: string): Promise<number[] | undefined> => {
    const entry = tensors.get(tensor);
    if (entry === undefined) return undefined;
    if (entry.shape.length !== 1 || entry.shape[0] > maxRopeFactors) throw new FormatError(`${name}: tensor "${tensor}" of shape [${entry.shape}] is no list of factors`);
    return [...(await valuesOf(checkpoint, tensor, signal))];
  };
  const [vocabSize] = tensors.get("token_embd.weight")?.shape ?? [];
  if (vocabSize === undefined) throw new FormatError(`${name}: there is no tensor token_embd.weight: a whole language model expected, not a vocabulary, an adapter or a projector`);
  return {
    vocabSize,
    hasOutput: tensors.has("output.weight"),
    hasAttentionBias: has(/\.attn_[qkv]\.bias$/),
    hasMlpBias: has(/\.ffn_(gate|up|down)\.bias$/),
    ropeFactors: { all: await factors("rope_freqs.weight"), long: await factors("rope_factors_long.weight"), short: await factors("rope_factors_short.weight") },
  };
}

/** general.sampling.* → generation_config.json's names. */
const sampling = { temp: "temperature", top_k: "top_k", top_p: "top_p", min_p: "min_p", penalty_repeat: "repetition_penalty" };

function generationConfigOf(fields: GgufFields): JsonObject {
  const values = Object.entries(sampling).flatMap(([key, name]): [string, number][] => {
    const value = fields.number(`general.sampling.${key}`);
    return value === null ? [] : [[name, value]];
  });
  return values.length > 0 ? { do_sample: true, ...Object.fromEntries(values) } : {};
}
