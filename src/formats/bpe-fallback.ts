// Byte-pair encoding with the ways out that tokenizer.json knows: bytes for characters that the vocabulary lacks, or one unknown
// token for a run of them; and words that are tokens.
import { Bpe, type BpeOptions } from "./bpe.ts";

export interface FallbackBpeOptions extends BpeOptions {
  /** Whether one unknown token stands for a whole run of such characters. */
  fuseUnknown: boolean;
  /** Whether a character that the vocabulary lacks becomes its bytes' tokens, "<0x00>" … "<0xFF>" (SentencePiece's byte fallback). */
  byteFallback: boolean;
  /** Whether a word that is itself a token is that token, whatever the merges say (Llama 3). */
  wholeWords: boolean;
}

export class FallbackBpe extends Bpe {
  readonly #bytes: readonly (number | undefined)[]; // the ids of "<0x00>" … "<0xFF>"
  readonly #fallback: FallbackBpeOptions;

  constructor(vocab: ReadonlyMap<string, number>, merges: readonly (readonly [left: string, right: string])[], options: FallbackBpeOptions) {
    super(vocab, merges, options);
    this.#fallback = options;
    this.#bytes = options.byteFallback ? Array.from({ length: 256 }, (_, byte) => vocab.get(byteToken(byte))) : [];
  }

  override encode(word: string): number[] {
    const whole = this.#fallback.wholeWords ? this.vocab.get(word) : undefined;
    return whole === undefined ? super.encode(word) : [whole];
  }

  protected override symbols(word: string): number[] {
    const ids: number[] = [];
    let unknown: number | undefined; // not written yet: more such characters may join it
    for (const symbol of this.spelled(word)) {
      const id = this.vocab.get(symbol);
      const bytes = id === undefined ? this.#byteIds(symbol) : null;
      if (id !== undefined) {
        if (unknown !== undefined) ids.push(unknown);
        unknown = undefined;
        ids.push(id);
      } else if (bytes !== null) {
        ids.push(...bytes);
      } else {
        if (unknown !== undefined && !this.#fallback.fuseUnknown) ids.push(unknown);
        unknown = this.unknownId(symbol);
      }
    }
    if (unknown !== undefined) ids.push(unknown);
    return ids;
  }

  #byteIds(symbol: string): number[] | null {
    if (!this.#fallback.byteFallback) return null;
    const ids: number[] = [];
    for (const byte of encoder.encode(symbol)) {
      const id = this.#bytes[byte];
      if (id === undefined) return null;
      ids.push(id);
    }
    return ids;
  }
}

const encoder = new TextEncoder();

/** SentencePiece's token of a byte: "<0x0A>". */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}
