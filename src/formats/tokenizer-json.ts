// The tokenizer that a tokenizer.json describes, token for token as Hugging Face's Rust library works: added tokens,
// normalizer, pre-tokenizer, model, what stands around a text, and the way back as a stream. Pure data in, so that what a
// GGUF or a vocab.json says can be put into the same form.
import { type AddedEntry, AddedSplitter, readAddedEntry } from "./added-vocabulary.ts";
import { FallbackBpe } from "./bpe-fallback.ts";
import { FormatError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";
import { type Around, readPostProcessor } from "./post-processor.ts";
import { type PreTokenizer, readPreTokenizer } from "./pre-tokenizer.ts";
import { type Normalizer, listOf, readNormalizer } from "./text-normalizer.ts";
import { type DecoderStream, TokenDecoder } from "./token-decoder.ts";
import { Unigram } from "./unigram.ts";

interface Model {
  encode(word: string): number[];
}

const maxCachedWord = 64;
const maxCachedWords = 20_000;

export class TokenizerJson {
  /** One more than the highest id. */
  readonly vocabSize: number;
  readonly around: Around;
  readonly decoder: TokenDecoder;
  readonly #tokens: (string | undefined)[] = []; // by id
  readonly #ids: Map<string, number>;
  readonly #added: ReadonlyMap<number, AddedEntry>;
  readonly #normalize: Normalizer;
  readonly #words: PreTokenizer;
  readonly #model: Model;
  readonly #literal: AddedSplitter; // tokens to find in the text as it is
  readonly #normal: AddedSplitter; // tokens to find in the normalized text
  readonly #cache = new Map<string, readonly number[]>();

  /** Throws FormatError naming what is malformed or not supported. */
  constructor(json: JsonObject) {
    this.#normalize = readNormalizer(json.normalizer);
    this.#words = readPreTokenizer(json.pre_tokenizer);
    this.decoder = new TokenDecoder(json.decoder);
    this.around = readPostProcessor(json.post_processor);
    const { model, ids } = readModel(json.model);
    this.#model = model;
    this.#ids = ids;
    const entries = listOf(json.added_tokens ?? [], "added_tokens").map((entry) => readAddedEntry(entry, isObject(entry) ? entry.id : undefined));
    this.#added = new Map(entries.map((entry) => [entry.id, entry]));
    for (const { content, id } of this.#added.values()) ids.set(content, id);
    for (const [token, id] of ids) this.#tokens[id] = token;
    for (const { content, id } of this.#added.values()) this.#tokens[id] = content;
    this.vocabSize = this.#tokens.length;
    this.#literal = new AddedSplitter(entries.filter((entry) => !entry.normalized));
    this.#normal = new AddedSplitter(entries.filter((entry) => entry.normalized), this.#normalize);
  }

  get added(): Iterable<AddedEntry> {
    return this.#added.values();
  }

  /** The id of a token, as text, or null. */
  id(token: string): number | null {
    return this.#ids.get(token) ?? null;
  }

  /** The token of an id, or null. */
  token(id: number): string | null {
    return this.#tokens[id] ?? null;
  }

  isSpecial(id: number): boolean {
    return this.#added.get(id)?.special === true;
  }

  /** A text's ids, with nothing around them. `special`: whether special tokens in the text are found. Half a surrogate pair counts as U+FFFD. */
  encode(text: string, special = true): number[] {
    const found = (entry: AddedEntry): boolean => special || !entry.special;
    const ids: number[] = [];
    for (const part of this.#literal.split(text.replace(/\p{Surrogate}/gu, "\ufffd"), found)) {
      if (typeof part === "number") {
        ids.push(part);
        continue;
      }
      for (const piece of this.#normal.split(this.#normalize(part.text), found)) {
        if (typeof piece === "number") ids.push(piece);
        else for (const word of this.#words(piece.text, part.start === 0 && piece.start === 0)) for (const id of this.#word(word)) ids.push(id);
      }
    }
    return ids;
  }

  #word(word: string): readonly number[] {
    if (word === "") return [];
    const known = this.#cache.get(word);
    if (known !== undefined) return known;
    const ids = this.#model.encode(word);
    if (word.length <= maxCachedWord) {
      if (this.#cache.size >= maxCachedWords) this.#cache.clear();
      this.#cache.set(word, ids);
    }
    return ids;
  }

  /** A stream from ids to text; ids that mean nothing are passed over. */
  open(): DecoderStream {
    return this.decoder.open();
  }
}

function readModel(json: unknown): { model: Model; ids: Map<string, number> } {
  if (!isObject(json)) throw new FormatError("the model is no object");
  // Files of the first years name no type.
  const type = json.type ?? (Array.isArray(json.vocab) ? "Unigram" : Array.isArray(json.merges) ? "BPE" : undefined);
  if (type === "BPE") {
    const ids = readVocab(json.vocab);
    const merges = listOf(json.merges, "merges").map(readMerge);
    if (typeof json.dropout === "number" && json.dropout > 0) throw new FormatError("a BPE with dropout draws its tokens at random, which is not supported");
    const model = new FallbackBpe(ids, merges, {
      endOfWord: textOr(json.end_of_word_suffix, ""),
      continuing: textOr(json.continuing_subword_prefix, ""),
      unknown: typeof json.unk_token === "string" ? json.unk_token : null,
      fuseUnknown: json.fuse_unk === true,
      byteFallback: json.byte_fallback === true,
      wholeWords: json.ignore_merges === true,
    });
    return { model, ids: new Map(ids) };
  }
  if (type === "Unigram") {
    const pieces = listOf(json.vocab, "vocab").map((entry, id): [string, number] => {
      const [text, score]: unknown[] = Array.isArray(entry) ? entry : [];
      if (typeof text !== "string" || typeof score !== "number" || !Number.isFinite(score)) throw new FormatError(`the vocabulary's piece ${id} is no text with its score: ${JSON.stringify(entry)}`);
      return [wellFormed(text), score];
    });
    const { unk_id: unknown } = json;
    const model = new Unigram(pieces, { unknown: typeof unknown === "number" ? unknown : null, byteFallback: json.byte_fallback === true });
    return { model, ids: new Map(pieces.map(([text], id) => [text, id])) };
  }
  throw new FormatError(`a model of type ${JSON.stringify(type)} is not supported: BPE and Unigram are`);
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

/** Token → id. Throws FormatError for ids that are none. */
export function readVocab(vocab: unknown): Map<string, number> {
  if (!isObject(vocab)) throw new FormatError("the vocabulary is no JSON object");
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 0xff_ffff) throw new FormatError(`the vocabulary gives "${token}" the id ${JSON.stringify(id)}`);
    ids.set(wellFormed(token), id);
  }
  return ids;
}

function wellFormed(token: string): string {
  if (/\p{Surrogate}/u.test(token)) throw new FormatError(`the token ${JSON.stringify(token)} holds half a surrogate pair`);
  return token;
}

/** A merge, as "left right" or [left, right]. Throws FormatError. */
export function readMerge(merge: unknown): readonly [left: string, right: string] {
  const pair: unknown[] = typeof merge === "string" ? merge.split(" ") : Array.isArray(merge) ? merge : [];
  const [left, right] = pair;
  if (pair.length !== 2 || typeof left !== "string" || typeof right !== "string") throw new FormatError(`${JSON.stringify(merge)} is no merge of two tokens`);
  return [left, right];
}
