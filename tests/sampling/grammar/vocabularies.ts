// Vocabularies for tests of grammars: random tokens that cross punctuation and split characters, and GPT-2's own.
import { existsSync, readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";
import type { Grammar, GrammarState } from "../../../src/sampling/grammar/grammar.ts";
import type { GrammarVocabulary } from "../../../src/sampling/grammar/trie.ts";

const pieces = ['{"', '":', '": ', '", "', '"}', '"]', "},", "[[", "]]", "}}", "true", "null", "fals", "12", "0.", "-1", "e1", '\\"', "\\u", "\\ud8", "00", "a", "ab", 'a"', "name", 'name":', "é", "日本", "😀", ', "', "1,", "2-0", "T1", ":0"];

/** A vocabulary of these tokens; the last number ends the text. */
export function vocabularyOf(tokens: readonly (Uint8Array | null)[]): GrammarVocabulary {
  return { vocabSize: tokens.length + 1, endTokens: [tokens.length], tokenBytes: (id) => tokens[id] ?? null };
}

/** All single bytes, in an order of its own, and tokens of random bytes of JSON texts; some are special, some appear twice. */
export function randomVocabulary(next: () => number): GrammarVocabulary {
  const tokens: (Uint8Array | null)[] = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const count = Math.floor(next() * 120);
  for (let i = 0; i < count; i++) {
    const text = new TextEncoder().encode(Array.from({ length: 1 + Math.floor(next() * 4) }, () => pieces[Math.floor(next() * pieces.length)]).join(""));
    const start = Math.floor(next() * 3);
    tokens.splice(Math.floor(next() * tokens.length), 0, next() < 0.05 ? null : text.slice(start, start + 1 + Math.floor(next() * 12)));
  }
  return vocabularyOf(tokens);
}

/** GPT-2's 50,257 tokens; null where the file is absent. */
export function gpt2Vocabulary(): GrammarVocabulary | null {
  const path = new URL("../../../../shared/weights/gpt2-bpe.zip", import.meta.url);
  if (!existsSync(path)) return null;
  const merges = unzip(readFileSync(path), /vocab\.bpe$|merges\.txt$/).split("\n").filter((line) => line && !line.startsWith("#version"));
  const encoder = new Map<string, number>();
  const printable = (byte: number): boolean => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  for (let byte = 0, next = 0x100; byte < 256; byte++) encoder.set(String.fromCodePoint(printable(byte) ? byte : next++), byte);
  const texts = [...encoder.keys(), ...merges.map((line) => line.replace(" ", ""))];
  return vocabularyOf(texts.map((text) => Uint8Array.from(text, (character) => encoder.get(character) ?? 0)));
}

/** The text of a file in a zip archive whose name fits. */
function unzip(zip: Buffer, name: RegExp): string {
  let at = zip.readUInt32LE(zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1")) + 16);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => zip.readUInt16LE(at + field));
    const local = zip.readUInt32LE(at + 42);
    if (name.test(zip.toString("utf8", at + 46, at + 46 + nameLength))) {
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const bytes = zip.subarray(start, start + zip.readUInt32LE(at + 20));
      return (zip.readUInt16LE(at + 10) === 8 ? inflateRawSync(bytes) : bytes).toString("utf8");
    }
    at += 46 + nameLength + extraLength + commentLength;
  }
  throw new Error(`no ${name} in the archive`);
}

export function allowedTokens(mask: Uint32Array): number[] {
  const ids: number[] = [];
  mask.forEach((word, index) => {
    for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) ids.push(32 * index + bit);
  });
  return ids;
}

export interface Spelt {
  readonly text: string;
  readonly tokens: number;
}

/** Text of random allowed tokens, within a budget. Throws where a mask is empty or the budget does not hold. */
export function spell(grammar: Grammar, vocabulary: GrammarVocabulary, next: () => number, budget: number): Spelt {
  const state: GrammarState = grammar.start();
  const ends = new Set(vocabulary.endTokens);
  const bytes: number[] = [];
  let tokens = 0;
  while (!state.finished) {
    const allowed = allowedTokens(state.mask(budget - tokens));
    if (allowed.length === 0) throw new Error(`a dead end after ${JSON.stringify(new TextDecoder().decode(Uint8Array.from(bytes)))}`);
    const id = allowed[Math.floor(next() * allowed.length)];
    state.advance(id);
    if (ends.has(id)) break;
    bytes.push(...(vocabulary.tokenBytes(id) ?? []));
    tokens++;
  }
  return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes)), tokens };
}

/** One token for each byte, and the end. */
export const bytesVocabulary: GrammarVocabulary = vocabularyOf(Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)));

/** Whether a grammar over `bytesVocabulary` has this text; masks and `advance` must agree on each byte. */
export function fits(grammar: Grammar, text: string): boolean {
  const state = grammar.start();
  const allowed = (id: number): boolean => ((state.mask()[id >>> 5] >>> (id & 31)) & 1) === 1;
  for (const byte of new TextEncoder().encode(text)) {
    if (!allowed(byte)) return false;
    state.advance(byte);
  }
  return allowed(256);
}
