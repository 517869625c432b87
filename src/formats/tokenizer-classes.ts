// What transformers' tokenizer classes do beside a tokenizer.json: GPT-2's (Radford et al. 2019) and Qwen2's out of
// vocab.json and merges.txt, tokens taken for granted, and Llama's own idea of where spaces go.
import { FormatError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";

export const qwen2Words =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** The split into words by a regular expression that comes before the bytes become characters. */
export function byteLevelSplit(...words: string[]): JsonObject {
  const splits = words.map((Regex) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }));
  return { type: "Sequence", pretokenizers: [...splits, { type: "ByteLevel", add_prefix_space: false, use_regex: false }] };
}

/** Throws FormatError for a class of tokenizer that is neither. */
export function vocabMergesJson(vocab: JsonObject, merges: string, config: JsonObject): JsonObject {
  const { tokenizer_class: named = "GPT2Tokenizer", add_prefix_space: prefix } = config;
  const name = typeof named === "string" ? named.replace(/Fast$/, "") : "";
  const lines = merges.split(/\r?\n/).filter((line, i) => line !== "" && !(i === 0 && line.startsWith("#version")));
  const model = { type: "BPE", vocab, merges: lines };
  const decoder = { type: "ByteLevel" };
  if (name === "Qwen2Tokenizer") return { model, normalizer: { type: "NFC" }, pre_tokenizer: byteLevelSplit(qwen2Words), decoder };
  if (name === "GPT2Tokenizer" || name === "PreTrainedTokenizer") return { model, pre_tokenizer: { type: "ByteLevel", add_prefix_space: prefix === true }, decoder };
  throw new FormatError(`a ${JSON.stringify(named)} without its tokenizer.json is not supported: save it with transformers' tokenizer.save_pretrained(…)`);
}

/** What transformers' classes take for granted where tokenizer_config.json names no such token. */
export function classDefaults(tokenizerClass: unknown): JsonObject {
  const end = "<|endoftext|>";
  switch (typeof tokenizerClass === "string" ? tokenizerClass.replace(/Fast$/, "") : undefined) {
    case "GPT2Tokenizer":
      return { tokenizer_class: "GPT2Tokenizer", bos_token: end, eos_token: end, unk_token: end };
    case "Qwen2Tokenizer":
      return { tokenizer_class: "Qwen2Tokenizer", eos_token: end, unk_token: end, pad_token: end };
    default:
      return {};
  }
}

/** Model types whose tokenizer.json transformers takes as it is, though the configuration names LlamaTokenizer. */
const asStated = /^(?:ministral|mistral|mixtral|phi3|phimoe|olmo2|olmo3|granite|stablelm|internlm|minicpm|nemotron)/;

/**
 * A tokenizer.json as transformers 5 loads it for its class: LlamaTokenizer is built anew from vocabulary and merges, with
 * one space before the text (unless it has one) where Llama 2's own file puts a space before every stretch of text.
 */
export function asClass(json: JsonObject, config: JsonObject, modelType: unknown): JsonObject {
  const llama = typeof config.tokenizer_class === "string" && /^LlamaTokenizer(Fast)?$/.test(config.tokenizer_class);
  const { model } = json;
  const byteLevel = JSON.stringify([json.pre_tokenizer ?? null, json.decoder ?? null]).includes('"ByteLevel"');
  if (!llama || byteLevel || !isObject(model) || model.type !== "BPE" || (typeof modelType === "string" && asStated.test(modelType))) return json;
  const prefix = config.add_prefix_space !== false;
  const decoders = [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }];
  return {
    ...json,
    normalizer: null,
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: prefix ? (config.legacy === true ? "always" : "first") : "never", split: false },
    model: { type: "BPE", vocab: model.vocab, merges: model.merges, fuse_unk: true, byte_fallback: true },
    decoder: { type: "Sequence", decoders: prefix ? [...decoders, { type: "Strip", content: " ", start: 1, stop: 0 }] : decoders },
  };
}
