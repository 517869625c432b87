// A grammar compiled against a vocabulary: it says which tokens may come next, as text is generated (Willard & Louf 2023).
import { type Automaton, type AutomatonBuilder, never } from "./automaton.ts";
import { GrammarError } from "./errors.ts";
import { dead } from "./state-table.ts";
import { type Mask, TokenMasks } from "./token-masks.ts";
import { type GrammarVocabulary, type TokenTrie, trieOf } from "./trie.ts";

/** Past this many states the next text begins with an empty table. */
const mostStates = 50_000;

export class Grammar {
  readonly #automaton: Automaton;
  readonly #trie: TokenTrie;
  #masks: TokenMasks;

  /** `root` is a rule of `builder`. Throws GrammarError if no text fits, or the vocabulary cannot spell one. */
  constructor(builder: AutomatonBuilder, root: number, vocabulary: GrammarVocabulary) {
    this.#trie = trieOf(vocabulary);
    if (this.#trie.endTokens.length === 0) throw new GrammarError("grammar: the vocabulary has no end token, so a text could not end");
    this.#automaton = builder.build(root, this.#trie.spells);
    this.#masks = new TokenMasks(this.#automaton, this.#trie);
  }

  /** The beginning of a text. Texts are independent of each other; what they learn of the grammar they share. */
  start(): GrammarState {
    if (this.#masks.table.size > mostStates) this.#masks = new TokenMasks(this.#automaton, this.#trie);
    return new GrammarState(this.#masks);
  }
}

/** Where a text stands in its grammar. */
export class GrammarState {
  readonly #masks: TokenMasks;
  #state: number;
  #ended = false;
  #plan: readonly number[] = []; // tokens to an end, while a budget is near

  constructor(masks: TokenMasks) {
    this.#masks = masks;
    this.#state = masks.table.start;
  }

  /** An end token was taken, or nothing but the end may follow. */
  get finished(): boolean {
    return this.#ended || this.#masks.table.complete(this.#state);
  }

  /**
   * Bit id % 32 of word id >> 5 says whether token id may come next: u32 [ceil(vocabSize / 32)]; shared, so do not write to it. End
   * tokens may where the text may end. `remaining` is how many tokens may still be taken, this one counted, an end token not: only
   * tokens after which the text can be ended in time are allowed, or, where it cannot, those that lead to an end soonest.
   */
  mask(remaining = Infinity): Mask {
    const masks = this.#masks;
    if (this.#ended) return masks.onlyEnds;
    if (masks.roomy(this.#state, remaining)) return masks.mask(this.#state);
    if (this.#plan.length === 0) this.#plan = masks.wayOut(this.#state);
    return masks.maskWithin(this.#state, remaining, this.#plan.at(0));
  }

  /** Takes a token. Throws GrammarError if it does not fit. */
  advance(id: number): void {
    const { table, trie } = this.#masks;
    if (trie.endTokens.includes(id)) {
      if (!this.#ended && !table.accepts(this.#state)) throw new GrammarError(`grammar: end token ${id} before the text is complete`);
      this.#ended = true;
      return;
    }
    const bytes = this.#ended ? null : trie.bytesOf(id);
    const to = bytes?.length ? bytes.reduce((state, byte) => table.step(state, byte), this.#state) : dead;
    if (table.distance[to] >= never) throw new GrammarError(`grammar: token ${id} does not fit here`);
    this.#plan = this.#plan[0] === id ? this.#plan.slice(1) : [];
    this.#state = to;
  }
}
