// Where published byte-level tokenizers cut a text before they merge, by the names that GGUF files give them
// (tokenizer.ggml.pre, as llama.cpp writes it), each in tokenizer.json's form.
import { FormatError } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import { byteLevelSplit, qwen2Words } from "./tokenizer-classes.ts";

export interface ByteLevelKind {
  readonly preTokenizer: JsonObject;
  readonly normalizer: JsonObject | null;
  /** Whether a word that is a token stays whole, whatever the merges say. */
  readonly ignoreMerges: boolean;
  /** Whether a beginning is added where the file does not say. */
  readonly addBos: boolean;
}

const rest = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const llama3Words = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}${rest}`;
const upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const cased = (ending: string): string => `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+${ending}|[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*${ending}`;
const slashes = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const gpt4oWords = `${cased("(?i:'s|'t|'re|'ve|'m|'ll|'d)?")}|\\p{N}{1,3}${slashes}`;
const tekkenWords = `${cased("")}|\\p{N}${slashes}`;
const qwen35Words = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const deepseek3Words = [
  "\\p{N}{1,3}",
  "[一-龥぀-ゟ゠-ヿ]+",
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
];

const byteLevel: JsonObject = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
const digitsFirst: JsonObject = { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, byteLevel] };
const nfc: JsonObject = { type: "NFC" };

const plain = { normalizer: null, ignoreMerges: false, addBos: false };
const gpt2: ByteLevelKind = { ...plain, preTokenizer: byteLevel };
const neox: ByteLevelKind = { ...gpt2, normalizer: nfc };
const digits: ByteLevelKind = { ...plain, preTokenizer: digitsFirst };
const llama3: ByteLevelKind = { ...plain, preTokenizer: byteLevelSplit(llama3Words), ignoreMerges: true, addBos: true };
const gpt4: ByteLevelKind = { ...plain, preTokenizer: byteLevelSplit(llama3Words) };
const qwen2: ByteLevelKind = { ...plain, preTokenizer: byteLevelSplit(qwen2Words), normalizer: nfc };
const gpt4o: ByteLevelKind = { ...plain, preTokenizer: byteLevelSplit(gpt4oWords) };

const kinds: ReadonlyMap<string, ByteLevelKind> = new Map([
  ...all(gpt2, "default", "gpt-2", "gpt2", "phi-2"),
  ...all(neox, "olmo", "mpt"),
  ...all(digits, "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"),
  ...all(llama3, "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"),
  ...all({ ...llama3, addBos: false }, "smaug-bpe"),
  ...all(gpt4, "dbrx", "chatglm-bpe", "glm4"),
  ...all(qwen2, "qwen2", "deepseek-r1-qwen", "kormo", "megrez"),
  ...all({ ...qwen2, preTokenizer: byteLevelSplit(qwen35Words) }, "qwen35"),
  ...all(gpt4o, "gpt-4o", "llama4", "kanana2", "minimax-m2"),
  ...all({ ...plain, preTokenizer: byteLevelSplit(tekkenWords), ignoreMerges: true }, "tekken"),
  ...all({ ...plain, preTokenizer: byteLevelSplit(...deepseek3Words) }, "deepseek-v3"),
]);

/** Throws FormatError for a name that is not known: another split would give other tokens without a word. */
export function byteLevelKind(name: string): ByteLevelKind {
  const kind = kinds.get(name);
  if (kind === undefined) throw new FormatError(`the pre-tokenizer "${name}" (tokenizer.ggml.pre) is not known; the same model from its Hub folder, with its tokenizer.json, may do. Known: ${[...kinds.keys()].join(", ")}`);
  return kind;
}

function all(kind: ByteLevelKind, ...names: string[]): [string, ByteLevelKind][] {
  return names.map((name) => [name, kind]);
}
