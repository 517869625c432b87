// CLIP's tokenizer (Radford et al. 2021, transformers' CLIPTokenizer): NFC, spaces collapsed, lower case, split into words,
// byte-level byte-pair encoding with "</w>" at a word's end, and a beginning, an end and padding around it.
import { type AddedToken, readAddedTokens, type TokenizerFiles, TokenSplitter } from "./added-tokens.ts";
import { Bpe } from "./bpe.ts";
import { fromByteLevel, readable, toByteLevel } from "./byte-level.ts";
import { FormatError } from "./errors.ts";
import { isObject } from "./json.ts";
import type { Encoding, TextTokenizer } from "./tokenizer.ts";

const endOfWord = "</w>";
const words = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;
const parts = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}+|[^\p{White_Space}\p{L}\p{N}]+/gu; // a second split, as byte-level does it

type Merge = readonly [left: string, right: string];

export interface ClipVocabulary {
  /** Token → id, and the pairs in the order in which they were learnt. */
  readonly vocab: ReadonlyMap<string, number>;
  readonly merges: readonly Merge[];
}

export class ClipTokenizer implements TextTokenizer {
  readonly maxLength: number;
  readonly #bpe: Bpe;
  readonly #tokens = new Map<number, string>();
  readonly #literal: TokenSplitter; // tokens to find in the text as it is
  readonly #normal: TokenSplitter; // tokens to find in the normalized text
  readonly #bos: number;
  readonly #eos: number;
  readonly #pad: number;

  /** Throws FormatError for a vocabulary or options that do not fit together. */
  constructor({ vocab, merges }: ClipVocabulary, files: TokenizerFiles, maxLength: number) {
    if (maxLength < 2) throw new FormatError(`a length of ${maxLength} leaves no room for the beginning and the end`);
    this.maxLength = maxLength;
    const { special, added } = readAddedTokens(files, {
      bos_token: "<|startoftext|>", eos_token: "<|endoftext|>", unk_token: "<|endoftext|>", pad_token: "<|endoftext|>",
    });
    this.#bpe = new Bpe(vocab, merges, { endOfWord, unknown: special.unk_token ?? null });
    const ids = new Map(vocab);
    for (const { content } of added) {
      if (!ids.has(content)) ids.set(content, ids.size);
    }
    for (const [token, id] of ids) this.#tokens.set(id, token);
    const idOf = (token: string | undefined): number => ids.get(token ?? "") ?? 0; // every special token was added above
    [this.#bos, this.#eos, this.#pad] = [special.bos_token, special.eos_token, special.pad_token].map(idOf);
    const found = (tokens: readonly AddedToken[], form: (content: string) => string): TokenSplitter =>
      new TokenSplitter(new Map(tokens.map(({ content }) => [form(content), idOf(content)])));
    this.#literal = found(added.filter((token) => !token.normalized), (content) => content);
    this.#normal = found(added.filter((token) => token.normalized), normalize);
  }

  encode(text: string): Encoding {
    const content = this.#content(text);
    const room = this.maxLength - 2;
    const used = content.slice(0, room);
    const ids = new Int32Array(this.maxLength).fill(this.#pad);
    ids.set([this.#bos, ...used, this.#eos]);
    const attentionMask = new Int32Array(this.maxLength).fill(1, 0, used.length + 2);
    return { ids, attentionMask, truncated: content.length > room ? this.#decode(content.slice(room)) : null };
  }

  #content(text: string): number[] {
    return this.#literal.split(text).flatMap((part) =>
      typeof part === "number" ? [part] : this.#normal.split(normalize(part)).flatMap((piece) =>
        typeof piece === "number" ? [piece] : (piece.match(words) ?? []).flatMap((word) =>
          (word.match(parts) ?? []).flatMap((symbols) => this.#bpe.encode(toByteLevel(symbols))))));
  }

  #decode(ids: readonly number[]): string {
    return readable(fromByteLevel(ids.map((id) => this.#tokens.get(id) ?? "")), endOfWord);
  }
}

/** Lower case goes character by character: a sigma at a word's end stays as any other, unlike in toLowerCase of a text. */
function normalize(text: string): string {
  const collapsed = text.normalize("NFC").replace(/\p{White_Space}+/gu, " ");
  return Array.from(collapsed, (character) => character.toLowerCase()).join("");
}

/** Reads vocab.json and merges.txt. Throws FormatError. */
export function readClipVocabulary(vocab: unknown, merges: string): ClipVocabulary {
  const pairs = merges.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version"));
  return { vocab: readVocab(vocab), merges: pairs.map(readMerge) };
}

/** Reads the same from a tokenizer.json, as transformers does for a CLIPTokenizer. Throws FormatError. */
export function readClipModel(tokenizer: unknown): ClipVocabulary {
  const model = isObject(tokenizer) ? tokenizer.model : undefined;
  if (!isObject(model) || model.type !== "BPE" || !Array.isArray(model.merges)) throw new FormatError("tokenizer.json: a BPE model expected for CLIP");
  return { vocab: readVocab(model.vocab), merges: model.merges.map(readMerge) };
}

function readVocab(vocab: unknown): Map<string, number> {
  if (!isObject(vocab)) throw new FormatError("the vocabulary is no JSON object");
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 0xff_ffff) throw new FormatError(`the vocabulary gives "${token}" the id ${JSON.stringify(id)}`);
    ids.set(token, id);
  }
  return ids;
}

function readMerge(merge: unknown): Merge {
  const pair: unknown[] = typeof merge === "string" ? merge.split(" ") : Array.isArray(merge) ? merge : [];
  const [left, right] = pair;
  if (pair.length !== 2 || typeof left !== "string" || typeof right !== "string") throw new FormatError(`${JSON.stringify(merge)} is no merge of two tokens`);
  return [left, right];
}
