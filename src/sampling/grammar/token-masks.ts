// Which tokens may follow a state of the table: one walk over the vocabulary's trie for each state, kept.
import { type Automaton, never } from "./automaton.ts";
import { dead, StateTable, unknown } from "./state-table.ts";
import type { TokenTrie } from "./trie.ts";

/** Masks that are kept; then the oldest goes. */
const mostMasks = 512;

export type Mask = Uint32Array<ArrayBuffer>;

interface Look {
  readonly mask: Mask;
  /** No allowed token leads further than this from an end, in bytes. */
  readonly farthest: number;
  /** Tokens by the state they lead to, with an upper bound of the tokens that end the text from there. Made when a budget is near. */
  groups: readonly { readonly tokens: readonly number[]; readonly cost: number }[] | null;
}

export class TokenMasks {
  readonly table: StateTable;
  /** End tokens alone. */
  readonly onlyEnds: Mask;
  readonly #path: Int32Array; // states along the way to a node of the trie
  readonly #nodes: Int32Array; // what a walk found: nodes, and the states there
  readonly #found: Int32Array;
  readonly #looks = new Map<number, Look>();

  constructor(automaton: Automaton, readonly trie: TokenTrie) {
    this.table = new StateTable(automaton);
    this.#path = new Int32Array(trie.height + 1);
    this.#nodes = new Int32Array(trie.tokens.length);
    this.#found = new Int32Array(trie.tokens.length);
    this.onlyEnds = this.#empty();
    for (const id of trie.endTokens) allow(this.onlyEnds, id);
  }

  /** Tokens after which the text can still be ended; end tokens where it may end. */
  mask(state: number): Mask {
    return this.#look(state).mask;
  }

  /** Whether every token of `mask(state)` leaves the text less than `remaining` tokens from an end. */
  roomy(state: number, remaining: number): boolean {
    return this.#look(state).farthest < remaining;
  }

  /** Only those tokens that leave the text at most `remaining` - 1 tokens from an end, end tokens where it may end, and `next`. */
  maskWithin(state: number, remaining: number, next: number | undefined): Mask {
    const look = this.#look(state);
    look.groups ??= this.#groups(state);
    const mask = this.table.accepts(state) ? this.onlyEnds.slice() : this.#empty();
    for (const { tokens, cost } of look.groups) if (cost < remaining) for (const id of tokens) allow(mask, id);
    if (next !== undefined) allow(mask, next);
    return mask;
  }

  /** Tokens that end the text from a state, by the fewest bytes. */
  wayOut(state: number): number[] {
    const bytes = this.table.wayOut(state);
    const tokens: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      const found = this.trie.longest(bytes, at);
      if (!found) throw new Error("grammar: a way out that no token spells");
      tokens.push(found.token);
      at += found.length;
    }
    return tokens;
  }

  #look(state: number): Look {
    const known = this.#looks.get(state);
    if (known) return known;
    const mask = this.table.accepts(state) ? this.onlyEnds.slice() : this.#empty();
    let farthest = 0;
    const count = this.#walk(state);
    const { first, tokens } = this.trie;
    const { distance } = this.table;
    for (let k = 0; k < count; k++) {
      const node = this.#nodes[k];
      for (let i = first[node]; i < first[node + 1]; i++) allow(mask, tokens[i]);
      farthest = Math.max(farthest, distance[this.#found[k]]);
    }
    const look = { mask, farthest, groups: null };
    const oldest = this.#looks.size >= mostMasks ? this.#looks.keys().next().value : undefined;
    if (oldest !== undefined) this.#looks.delete(oldest);
    this.#looks.set(state, look);
    return look;
  }

  #groups(state: number): { tokens: number[]; cost: number }[] {
    const tokensTo = new Map<number, number[]>();
    const count = this.#walk(state);
    for (let k = 0; k < count; k++) {
      const node = this.#nodes[k];
      const tokens = tokensTo.get(this.#found[k]) ?? [];
      if (tokens.length === 0) tokensTo.set(this.#found[k], tokens);
      for (let i = this.trie.first[node]; i < this.trie.first[node + 1]; i++) tokens.push(this.trie.tokens[i]);
    }
    return [...tokensTo].map(([to, tokens]) => ({ tokens, cost: this.wayOut(to).length }));
  }

  /** Notes each node with tokens that may follow `from`, and the state after it, in #nodes and #found. Returns how many. */
  #walk(from: number): number {
    const { byte, depth, after, first } = this.trie;
    const { table } = this;
    const { classOf, classes } = table;
    const path = this.#path;
    let { next, distance } = table;
    let count = 0;
    path[0] = from;
    for (let node = 0; node < byte.length; ) {
      const level = depth[node];
      const byteClass = classOf[byte[node]];
      let to = next[path[level - 1] * classes + byteClass];
      if (to === unknown) {
        to = table.take(path[level - 1], byteClass);
        ({ next, distance } = table);
      }
      if (to === dead) {
        node = after[node];
        continue;
      }
      path[level] = to;
      if (first[node + 1] > first[node] && distance[to] < never) {
        this.#nodes[count] = node;
        this.#found[count++] = to;
      }
      node++;
    }
    return count;
  }

  #empty(): Mask {
    return new Uint32Array(Math.ceil(this.trie.vocabSize / 32));
  }
}

function allow(mask: Mask, id: number): void {
  mask[id >>> 5] |= 1 << (id & 31);
}
