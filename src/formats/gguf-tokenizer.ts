// The tokenizer in a GGUF's metadata (tokenizer.ggml.*), put into tokenizer.json's form, so that one implementation serves
// both: byte-level BPE ("gpt2"), SentencePiece's BPE ("llama") and its unigram model ("t5").
import { byteLevelKind } from "./byte-level-splits.ts";
import { FormatError } from "./errors.ts";
import { type GenerationTokenizer, JsonGenerationTokenizer, type SpecialTokenRole } from "./generation-tokenizer.ts";
import type { JsonObject } from "./json.ts";
import { spmMerges } from "./spm-merges.ts";
import { around } from "./token-files.ts";

type Metadata = ReadonlyMap<string, unknown>;

const control = 3; // token types that matter here (1 normal, 2 unknown, 5 unused, 6 byte)
const userDefined = 4;
const maxTokens = 4_000_000;

/** Control tokens that end a turn in the chat formats of published models, beside those that the metadata names. */
const turnEnds = ["<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>", "<|return|>"];

/** Reads the tokenizer out of a GGUF's metadata. Throws FormatError naming what is missing, malformed or not known. */
export function ggufTokenizer(metadata: Metadata): GenerationTokenizer {
  const read = new Reader(metadata);
  const kind = read.text("model");
  const tokens = read.texts("tokens");
  if (tokens.length === 0 || tokens.length > maxTokens) throw new FormatError(`tokenizer.ggml.tokens: ${tokens.length} tokens`);
  const types = read.has("token_type") ? read.numbers("token_type", tokens.length) : tokens.map(() => 1);
  const roles: Partial<Record<SpecialTokenRole, number>> = {
    bos: read.id("bos_token_id", tokens.length), eos: read.id("eos_token_id", tokens.length),
    pad: read.id("padding_token_id", tokens.length), unk: read.id("unknown_token_id", tokens.length),
  };
  const form = kind === "gpt2" ? byteLevel(read, tokens) : kind === "llama" ? sentencePiece(read, tokens, roles.unk) : kind === "t5" ? unigram(read, tokens, roles.unk) : null;
  if (form === null) throw new FormatError(`the tokenizer "${kind}" (tokenizer.ggml.model) is not supported: gpt2, llama and t5 are`);
  const names = form.tokens ?? tokens;
  const special = new Set([...Object.values(roles), ...types.flatMap((type, id) => (type === control || (kind !== "gpt2" && type === 2) ? [id] : [])), ...(form.special ?? [])]);
  const added = names.flatMap((content, id) => (special.has(id) || types[id] === userDefined ? [{ id, content, special: special.has(id), normalized: false }] : []));
  const json = {
    ...form.json,
    added_tokens: added,
    post_processor: around(read.flag("add_bos_token", form.addBos) ? roles.bos : undefined, read.flag("add_eos_token", form.addEos) ? roles.eos : undefined),
  };
  const named = [roles.eos, read.id("eot_token_id", tokens.length), read.id("eom_token_id", tokens.length)].filter((id) => id !== undefined);
  const known = turnEnds.flatMap((token) => added.filter(({ content, special }) => special && content === token).map(({ id }) => id));
  return new JsonGenerationTokenizer(json, roles, [...new Set([...named, ...known])]);
}

interface Form {
  readonly json: JsonObject;
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** The tokens as they are to be called, where the file calls them otherwise. */
  readonly tokens?: readonly string[];
  /** Ids that are special beside those that the file marks. */
  readonly special?: readonly number[];
}

function byteLevel(read: Reader, tokens: readonly string[]): Form {
  const kind = byteLevelKind(read.has("pre") ? read.text("pre") : "default");
  const model = { type: "BPE", vocab: vocabulary(tokens), merges: read.texts("merges"), ignore_merges: kind.ignoreMerges };
  return { json: { model, normalizer: kind.normalizer, pre_tokenizer: kind.preTokenizer, decoder: { type: "ByteLevel" } }, addBos: kind.addBos, addEos: false };
}

const space = "\u2581"; // ▁, as SentencePiece writes a space

function sentencePiece(read: Reader, stored: readonly string[], unknown: number | undefined): Form {
  // Gemma's files hold runs of spaces as they are, and their scores do not tell the order of the merges: the ids do.
  const gemma = /^gemma/.test(read.architecture);
  const tokens = gemma ? stored.map((token) => (/^ {2,}$/.test(token) ? space.repeat(token.length) : token)) : stored;
  const scores = gemma ? tokens.map((_, id) => -id) : read.numbers("scores", tokens.length);
  const merges = read.has("merges") ? read.texts("merges") : spmMerges(tokens, scores);
  const prefix = read.flag("add_space_prefix", !gemma);
  const spaces = { type: "Replace", pattern: { String: " " }, content: space };
  const model = { type: "BPE", vocab: vocabulary(tokens), merges, unk_token: unknown === undefined ? null : tokens[unknown], fuse_unk: true, byte_fallback: true };
  const decoders = [{ type: "Replace", pattern: { String: space }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }];
  return {
    json: {
      model,
      normalizer: prefix ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: space }, spaces] } : spaces,
      decoder: { type: "Sequence", decoders: prefix ? [...decoders, { type: "Strip", content: " ", start: 1, stop: 0 }] : decoders },
    },
    tokens, addBos: true, addEos: false,
  };
}

const sentinels = 100; // T5's <extra_id_…>

function unigram(read: Reader, stored: readonly string[], unknown: number | undefined): Form {
  const tokens = [...stored];
  // Where T5 has its hundred sentinels, counted down, files have placeholders.
  const places = tokens.flatMap((token, id) => (/^\[PAD\d+\]$/.test(token) ? [id] : [])).slice(0, sentinels);
  places.forEach((id, i) => (tokens[id] = `<extra_id_${sentinels - 1 - i}>`));
  const scores = read.numbers("scores", tokens.length);
  const charsmap = read.has("precompiled_charsmap") ? read.numbers("precompiled_charsmap") : [];
  const json = {
    model: { type: "Unigram", vocab: tokens.map((token, id) => [token, scores[id]]), unk_id: unknown ?? null },
    normalizer: charsmap.length === 0 ? null : { type: "Precompiled", precompiled_charsmap: base64(charsmap) },
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Metaspace", replacement: space, prepend_scheme: "always", split: true }] },
    decoder: { type: "Metaspace", replacement: space, prepend_scheme: "always", split: true },
  };
  return { json, tokens, addBos: false, addEos: true, special: places };
}

function vocabulary(tokens: readonly string[]): JsonObject {
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

function base64(bytes: readonly number[]): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte & 0xff);
  return btoa(text);
}

/** Typed reading of tokenizer.ggml.*. */
class Reader {
  readonly #metadata: Metadata;

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
  }

  get architecture(): string {
    const name = this.#metadata.get("general.architecture");
    return typeof name === "string" ? name : "";
  }

  has(key: string): boolean {
    return this.#metadata.has(`tokenizer.ggml.${key}`);
  }

  text(key: string): string {
    const value = this.#value(key);
    return typeof value === "string" ? value : this.#fail(key, "text");
  }

  texts(key: string): readonly string[] {
    const value = this.#value(key);
    const texts = Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
    return Array.isArray(value) && texts.length === value.length ? texts : this.#fail(key, "a list of texts");
  }

  /** A list of `count` numbers, as an array or a typed array. */
  numbers(key: string, count?: number): number[] {
    const value = this.#value(key);
    const list: readonly unknown[] = isList(value) ? Array.from(value) : this.#fail(key, "a list of numbers");
    const numbers = list.filter((item): item is number => typeof item === "number" && Number.isFinite(item));
    if (numbers.length !== list.length || (count !== undefined && numbers.length !== count)) this.#fail(key, `a list of ${count ?? ""} numbers`);
    return numbers;
  }

  flag(key: string, otherwise: boolean): boolean {
    if (!this.has(key)) return otherwise;
    const value = this.#value(key);
    return typeof value === "boolean" ? value : this.#fail(key, "true or false");
  }

  id(key: string, count: number): number | undefined {
    if (!this.has(key)) return undefined;
    const value = this.#value(key);
    const id = typeof value === "bigint" ? Number(value) : value;
    if (id === 0xffff_ffff || id === -1) return undefined; // written where there is none
    return typeof id === "number" && Number.isInteger(id) && id >= 0 && id < count ? id : this.#fail(key, `an id below ${count}`);
  }

  #value(key: string): unknown {
    return this.#metadata.get(`tokenizer.ggml.${key}`);
  }

  #fail(key: string, expected: string): never {
    const value = this.#value(key);
    throw new FormatError(`tokenizer.ggml.${key}: ${expected} expected, got ${value === undefined ? "nothing" : typeof value === "object" ? "something else" : String(value)}`);
  }
}

function isList(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}
