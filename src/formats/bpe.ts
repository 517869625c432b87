// Byte-pair encoding (Sennrich et al. 2016): a word's symbols are joined pair by pair, the pair learnt first before all
// others, of equal ones the leftmost. O(n log n), so that a word of many thousand letters is no trap.
import { FormatError } from "./errors.ts";

export interface BpeOptions {
  /** Added to a word's last character before it is looked up; CLIP's is "</w>". */
  endOfWord: string;
  /** Stands for every character that the vocabulary lacks; without one they vanish. */
  unknown: string | null;
  /** Written before every character of a word but its first; BERT's is "##". */
  continuing?: string;
}

interface Merge {
  readonly rank: number;
  readonly id: number;
}

export class Bpe {
  readonly #merges = new Map<number, Merge>(); // by left · size + right
  readonly #byRank: number[] = []; // the id that a merge makes
  readonly #size: number = 1;
  readonly #options: BpeOptions;

  /** Throws FormatError for a merge whose parts or whole the vocabulary lacks. */
  constructor(protected readonly vocab: ReadonlyMap<string, number>, merges: readonly (readonly [left: string, right: string])[], options: BpeOptions) {
    this.#options = options;
    for (const id of vocab.values()) this.#size = Math.max(this.#size, id + 1);
    const { continuing = "" } = options;
    merges.forEach(([left, right], rank) => {
      const whole = left + (right.startsWith(continuing) ? right.slice(continuing.length) : right);
      const [a, b, id] = [left, right, whole].map((token) => {
        const known = vocab.get(token);
        if (known === undefined) throw new FormatError(`the merge "${left} ${right}" needs the token "${token}", which the vocabulary lacks`);
        return known;
      });
      this.#merges.set(a * this.#size + b, { rank, id });
      this.#byRank.push(id);
    });
  }

  /** The ids of a word. Throws FormatError where it needs an unknown token that the vocabulary lacks. */
  encode(word: string): number[] {
    const ids = this.symbols(word);
    const next = ids.map((_, i) => (i + 1 < ids.length ? i + 1 : -1));
    const previous = ids.map((_, i) => i - 1);
    const pending = new MinHeap(); // rank · 2^32 + position of the left symbol
    const offer = (at: number): void => {
      const merge = next[at] < 0 ? undefined : this.#merges.get(ids[at] * this.#size + ids[next[at]]);
      if (merge !== undefined) pending.push(merge.rank * 2 ** 32 + at);
    };
    ids.forEach((_, at) => offer(at));
    for (let first = pending.pop(); first !== undefined; first = pending.pop()) {
      const at = first % 2 ** 32;
      const id = this.#byRank[Math.floor(first / 2 ** 32)];
      const right = next[at];
      // What was offered may be gone: its symbols joined to others meanwhile.
      if (ids[at] < 0 || right < 0 || this.#merges.get(ids[at] * this.#size + ids[right])?.id !== id) continue;
      ids[at] = id;
      ids[right] = -1;
      next[at] = next[right];
      if (next[at] >= 0) previous[next[at]] = at;
      if (previous[at] >= 0) offer(previous[at]);
      offer(at);
    }
    return ids.filter((id) => id >= 0);
  }

  /** What the merges begin with, as the vocabulary spells it: a word's characters. */
  protected spelled(word: string): string[] {
    const { endOfWord, continuing = "" } = this.#options;
    const characters = Array.from(word);
    return characters.map((character, at) => (at > 0 ? continuing : "") + character + (at === characters.length - 1 ? endOfWord : ""));
  }

  /** The ids of what the merges begin with. */
  protected symbols(word: string): number[] {
    return this.spelled(word).flatMap((symbol) => this.vocab.get(symbol) ?? this.unknownId(symbol) ?? []);
  }

  /** The id for a symbol that the vocabulary lacks, if there is one. */
  protected unknownId(symbol: string): number | undefined {
    const { unknown } = this.#options;
    if (unknown === null) return undefined;
    const id = this.vocab.get(unknown);
    if (id === undefined) throw new FormatError(`the vocabulary lacks "${symbol}", and its token for unknown ones, "${unknown}"`);
    return id;
  }
}

class MinHeap {
  readonly #values: number[] = [];

  push(value: number): void {
    const values = this.#values;
    let at = values.push(value) - 1;
    for (let parent = (at - 1) >> 1; at > 0 && values[parent] > value; at = parent, parent = (at - 1) >> 1) values[at] = values[parent];
    values[at] = value;
  }

  pop(): number | undefined {
    const values = this.#values;
    const top = values[0];
    const last = values.pop();
    if (last === undefined || values.length === 0) return top;
    let at = 0;
    for (let child = 1; child < values.length; child = 2 * at + 1) {
      if (child + 1 < values.length && values[child + 1] < values[child]) child++;
      if (values[child] >= last) break;
      values[at] = values[child];
      at = child;
    }
    values[at] = last;
    return top;
  }
}
