// generation_config.json: how a model's publisher means it to generate. What would change the text and is not supported is refused.
import { isObject, type JsonObject } from "../formats/json.ts";
import { Config, ConfigError } from "../nn/config.ts";
import type { TextDefaults } from "./text-generation-types.ts";

/** Keys that change the text, with the value at which they do nothing. */
const UNSUPPORTED: Readonly<Record<string, unknown>> = {
  num_beams: 1, num_beam_groups: 1, penalty_alpha: 0, diversity_penalty: 0, length_penalty: 1, encoder_repetition_penalty: 1, encoder_no_repeat_ngram_size: 0,
  epsilon_cutoff: 0, eta_cutoff: 0, top_h: 1, guidance_scale: 1, forced_bos_token_id: null, forced_eos_token_id: null, forced_decoder_ids: null, bad_words_ids: null,
  force_words_ids: null, constraints: null, suppress_tokens: null, begin_suppress_tokens: null, sequence_bias: null, exponential_decay_length_penalty: null,
  watermarking_config: null, dola_layers: null, stop_strings: null, token_healing: false, renormalize_logits: false, remove_invalid_values: false, num_return_sequences: 1,
};

/** Beam search alone reads these. */
const OF_BEAMS = new Set(["length_penalty", "diversity_penalty", "num_beam_groups", "renormalize_logits"]);

/**
 * The defaults, transformers' own where the file is silent. End tokens: the file's, else the model config's, else the tokenizer's.
 * Throws ConfigError naming a key that does not make sense or is not supported.
 */
export function readGenerationConfig(json: unknown, model: JsonObject, tokenizerEnds: readonly number[]): TextDefaults {
  const values = json === null || json === undefined ? {} : json;
  const config = new Config("generation_config.json", isObject(values) ? present(values) : values);
  for (const [key, neutral] of Object.entries(UNSUPPORTED)) {
    const value = config.get(key) ?? neutral;
    if (value !== neutral && !OF_BEAMS.has(key)) throw new ConfigError(`generation_config.json: "${key}" (${JSON.stringify(value)}) is not supported; take it out of the file to generate without it`);
  }
  return {
    doSample: config.boolean("do_sample", false),
    temperature: config.number("temperature", 1),
    topK: config.number("top_k", 50),
    topP: config.number("top_p", 1),
    minP: config.number("min_p", 0),
    typicalP: config.number("typical_p", 1),
    repetitionPenalty: config.number("repetition_penalty", 1),
    noRepeatNgramSize: config.number("no_repeat_ngram_size", 0),
    maxNewTokens: config.get("max_new_tokens") === undefined ? null : config.count("max_new_tokens"),
    minNewTokens: config.number("min_new_tokens", 0),
    endTokens: endTokens(config.get("eos_token_id")) ?? endTokens(model.eos_token_id) ?? tokenizerEnds,
  };
}

/** transformers writes null for what is not set. */
function present(json: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null));
}

/** One id or several. */
function endTokens(value: unknown): number[] | null {
  if (value === undefined || value === null) return null;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const ids = list.filter((id): id is number => Number.isInteger(id));
  if (ids.length !== list.length) throw new ConfigError(`eos_token_id: a token's id or a list of them expected, got ${JSON.stringify(value)}`);
  return ids;
}
