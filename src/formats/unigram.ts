// The unigram language model of SentencePiece (Kudo 2018): the cut of a text whose pieces have the highest sum of
// log-probabilities, by dynamic programming over its positions (Viterbi).
import { byteToken } from "./bpe-fallback.ts";
import { FormatError } from "./errors.ts";

export interface UnigramOptions {
  /** The id that stands for a run of characters that no piece begins with. */
  unknown: number | null;
  /** Whether such characters become their bytes' tokens where the vocabulary has all of them. */
  byteFallback: boolean;
}

const unknownPenalty = 10; // below the least likely piece

interface Node {
  readonly next: Map<string, Node>; // by character
  id: number;
}

export class Unigram {
  readonly #root: Node = { next: new Map(), id: -1 };
  readonly #ids = new Map<string, number>();
  readonly #scores: readonly number[];
  readonly #unknownScore: number;
  readonly #options: UnigramOptions;

  /** `pieces[id]` is [text, log-probability]. Throws FormatError for an empty vocabulary, or an unknown id outside it. */
  constructor(pieces: readonly (readonly [text: string, score: number])[], options: UnigramOptions) {
    if (pieces.length === 0) throw new FormatError("the vocabulary is empty");
    if (options.unknown !== null && !(options.unknown in pieces)) throw new FormatError(`the unknown token's id ${options.unknown} is not in the vocabulary of ${pieces.length}`);
    this.#options = options;
    this.#scores = pieces.map(([, score]) => score);
    this.#unknownScore = this.#scores.reduce((least, score) => Math.min(least, score), Infinity) - unknownPenalty;
    pieces.forEach(([text], id) => {
      this.#ids.set(text, id);
      let node = this.#root;
      for (const character of text) {
        let next = node.next.get(character);
        if (next === undefined) node.next.set(character, (next = { next: new Map(), id: -1 }));
        node = next;
      }
      if (node !== this.#root) node.id = id;
    });
  }

  /** The ids of a text. Throws FormatError where it needs the unknown token and there is none. */
  encode(text: string): number[] {
    const characters = Array.from(text);
    const best = new Float64Array(characters.length + 1).fill(-Infinity); // of the cut that ends there
    const from = new Int32Array(characters.length + 1).fill(-1); // where its last piece begins
    const id = new Int32Array(characters.length + 1).fill(-1); // and which it is; -1: unknown
    best[0] = 0;
    for (let start = 0; start < characters.length; start++) {
      const offer = (end: number, score: number, piece: number): void => {
        if (from[end] >= 0 && !(best[start] + score > best[end])) return;
        [best[end], from[end], id[end]] = [best[start] + score, start, piece];
      };
      let node = this.#root.next.get(characters[start]);
      const alone = node !== undefined && node.id >= 0;
      for (let end = start + 1; node !== undefined; node = node.next.get(characters[end++])) {
        if (node.id >= 0) offer(end, this.#scores[node.id], node.id);
      }
      if (!alone) offer(start + 1, this.#unknownScore, -1);
    }
    const pieces: { start: number; end: number; id: number }[] = [];
    for (let end = characters.length; end > 0; end = from[end]) {
      const known = id[end] >= 0 && id[end] !== this.#options.unknown;
      const last = pieces.at(-1);
      if (!known && last !== undefined && last.id < 0) last.start = from[end]; // a run of unknown characters is one
      else pieces.push({ start: from[end], end, id: known ? id[end] : -1 });
    }
    return pieces.reverse().flatMap((piece) => (piece.id >= 0 ? [piece.id] : this.#unknown(characters.slice(piece.start, piece.end).join(""))));
  }

  #unknown(text: string): number[] {
    const id = this.#ids.get(text);
    if (id !== undefined) return [id];
    if (this.#options.byteFallback) {
      const bytes = Array.from(new TextEncoder().encode(text), (byte) => this.#ids.get(byteToken(byte)));
      const known = bytes.filter((byte) => byte !== undefined);
      if (known.length === bytes.length) return known;
    }
    if (this.#options.unknown === null) throw new FormatError(`the vocabulary lacks "${text}", and has no token for unknown text`);
    return [this.#options.unknown];
  }
}
