// A pushdown automaton over bytes: rules that are small nondeterministic automata and call each other. Its runs spell the texts of a grammar.
import { GrammarError } from "./errors.ts";

/** Larger than the way out of any state; also: no way out. */
export const never = 2 ** 30;

/** Past this many states a grammar is a mistake, or made to do damage. */
const mostStates = 2 ** 17;

export interface Rule {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** How the shortest way out of a state goes on. */
export type Step = { readonly byte: number; readonly to: number } | { readonly rule: number | null; readonly to: number } | null;

export interface Automaton {
  readonly rules: readonly Rule[];
  readonly root: number;
  /** Byte edges of each state: lo, hi, target, lo, hi, target … */
  readonly edges: readonly (readonly number[])[];
  /** Targets reached without a byte. */
  readonly skips: readonly (readonly number[])[];
  /** Rule, state to return to, rule, state … */
  readonly calls: readonly (readonly number[])[];
  /** 1 where a rule ends. */
  readonly ends: Uint8Array;
  /** Fewest bytes from a state to the end of its rule, by bytes that are tokens of their own; `never` if there is no such way. */
  readonly distance: Int32Array;
  /** First step of that way; null at an end. */
  readonly steps: readonly Step[];
  /** 1 where a longer token may pass: a state with a distance can be reached. */
  readonly passable: Uint8Array;
}

/** States are numbers; every method that takes `from` and returns a state appends to `from`. */
export class AutomatonBuilder {
  readonly #edges: number[][] = [];
  readonly #skips: number[][] = [];
  readonly #calls: number[][] = [];
  readonly #rules: { name: string; start: number; end: number }[] = [];

  /** Throws GrammarError when the grammar grows out of bounds. */
  state(): number {
    if (this.#edges.length === mostStates) throw new GrammarError(`grammar: more than ${mostStates} states; ask for smaller counts (maxLength, maxItems, {n,m})`);
    this.#edges.push([]);
    this.#skips.push([]);
    return this.#calls.push([]) - 1;
  }

  /** A rule; `body` appends its content. The number is known while the body is written, so rules may recur. */
  rule(name: string, body: (from: number, rule: number) => number): number {
    const start = this.state();
    const number = this.#rules.push({ name, start, end: -1 }) - 1;
    const end = this.state();
    this.skip(body(start, number), end);
    this.#rules[number].end = end;
    return number;
  }

  bytes(from: number, lo: number, hi: number, to = this.state()): number {
    this.#edges[from].push(lo, hi, to);
    return to;
  }

  literal(from: number, text: string): number {
    return new TextEncoder().encode(text).reduce((at, byte) => this.bytes(at, byte, byte), from);
  }

  skip(from: number, to: number): void {
    this.#skips[from].push(to);
  }

  call(from: number, rule: number, to = this.state()): number {
    this.#calls[from].push(rule, to);
    return to;
  }

  /** Any one of the ways. */
  either(from: number, ways: readonly ((from: number) => number)[]): number {
    const to = this.state();
    for (const way of ways) this.skip(way(from), to);
    return to;
  }

  optional(from: number, way: (from: number) => number): number {
    return this.either(from, [(at) => at, way]);
  }

  /** `least` … `most` times; `most` may be Infinity. */
  repeat(from: number, least: number, most: number, way: (from: number) => number): number {
    let at = from;
    for (let i = 0; i < least; i++) at = way(at);
    const to = this.state();
    this.skip(at, to);
    if (most === Infinity) this.skip(way(to), to);
    else for (let i = least; i < most; i++) this.skip((at = way(at)), to);
    return to;
  }

  /**
   * The automaton of a root rule. `spells` tells bytes that are tokens of their own: by them every value can be ended.
   * Throws GrammarError if no text fits, or a rule begins with itself.
   */
  build(root: number, spells: (byte: number) => boolean): Automaton {
    const parts = { rules: this.#rules, edges: this.#edges, skips: this.#skips, calls: this.#calls };
    const ends = new Uint8Array(this.#edges.length);
    for (const { end } of this.#rules) ends[end] = 1;
    const { distance, steps } = waysOut(parts, ends, spells);
    const passable = passableOf(parts, distance);
    if (!passable[this.#rules[root].start]) throw new GrammarError(emptiness(parts, ends, root));
    if (distance[this.#rules[root].start] === never) throw new GrammarError("grammar: the vocabulary has no tokens for some bytes of every text that fits, so the text could not be spelt");
    refuseLeftRecursion(parts, ends, passable);
    return { ...parts, root, ends, distance, steps, passable };
  }
}

type Parts = Pick<Automaton, "rules" | "edges" | "skips" | "calls">;

/** Shortest ways, relaxed from the last state to the first until nothing changes: states are made in reading order, so few rounds do. */
function waysOut({ rules, edges, skips, calls }: Parts, ends: Uint8Array, spells: (byte: number) => boolean): { distance: Int32Array; steps: Step[] } {
  const distance = Int32Array.from(ends, (end) => (end ? 0 : never));
  const steps: Step[] = edges.map(() => null);
  for (let changed = true; changed; ) {
    changed = false;
    for (let state = edges.length - 1; state >= 0; state--) {
      const offer = (length: number, step: () => Step): void => {
        if (length >= distance[state]) return;
        distance[state] = length;
        steps[state] = step();
        changed = true;
      };
      const own = edges[state];
      for (let i = 0; i < own.length; i += 3) {
        if (1 + distance[own[i + 2]] >= distance[state]) continue;
        const byte = firstSpelt(own[i], own[i + 1], spells);
        if (byte !== null) offer(1 + distance[own[i + 2]], () => ({ byte, to: own[i + 2] }));
      }
      for (const to of skips[state]) offer(distance[to], () => ({ rule: null, to }));
      const called = calls[state];
      for (let i = 0; i < called.length; i += 2) {
        const length = distance[rules[called[i]].start] + distance[called[i + 1]];
        offer(length, () => ({ rule: called[i], to: called[i + 1] }));
      }
    }
  }
  return { distance, steps };
}

function firstSpelt(lo: number, hi: number, spells: (byte: number) => boolean): number | null {
  for (let byte = lo; byte <= hi; byte++) if (spells(byte)) return byte;
  return null;
}

function passableOf({ rules, edges, skips, calls }: Parts, distance: Int32Array): Uint8Array {
  const passable = Uint8Array.from(distance, (length) => (length < never ? 1 : 0));
  for (let changed = true; changed; ) {
    changed = false;
    for (let state = edges.length - 1; state >= 0; state--) {
      if (passable[state]) continue;
      const own = edges[state];
      const called = calls[state];
      const passes = skips[state].some((to) => passable[to]) || own.some((to, i) => i % 3 === 2 && passable[to]) || called.some((rule, i) => i % 2 === 0 && passable[rules[rule].start] && passable[called[i + 1]]);
      if (!passes) continue;
      passable[state] = 1;
      changed = true;
    }
  }
  return passable;
}

/** Why no text fits: by its nature, or because the vocabulary lacks bytes. */
function emptiness(parts: Parts, ends: Uint8Array, root: number): string {
  const { distance } = waysOut(parts, ends, () => true);
  if (distance[parts.rules[root].start] === never) return `grammar: no text fits ${parts.rules[root].name}; it contradicts itself, or refers to itself without end`;
  return "grammar: the vocabulary has no tokens for some bytes of every text that fits, so the text could not be spelt";
}

/** A rule that calls itself before any byte would be entered for ever. */
function refuseLeftRecursion(parts: Parts, ends: Uint8Array, passable: Uint8Array): void {
  const { rules, skips, calls } = parts;
  const empty = waysThroughNothing(parts, ends);
  const begun = rules.map(({ start }) => {
    const seen = new Set([start]);
    const firsts = new Set<number>();
    for (const state of seen) {
      for (const to of skips[state]) seen.add(to);
      for (let i = 0; i < calls[state].length; i += 2) {
        const [rule, to] = [calls[state][i], calls[state][i + 1]];
        if (passable[rules[rule].start] && passable[to]) firsts.add(rule);
        if (empty[rules[rule].start]) seen.add(to);
      }
    }
    return firsts;
  });
  rules.forEach(({ name }, rule) => {
    const reached = new Set(begun[rule]);
    for (const other of reached) for (const further of begun[other]) reached.add(further);
    if (reached.has(rule)) throw new GrammarError(`grammar: ${name} begins with itself`);
  });
}

/** States from which their rule's end is reached without a byte. */
function waysThroughNothing({ rules, skips, calls }: Parts, ends: Uint8Array): Uint8Array {
  const empty = Uint8Array.from(ends);
  for (let changed = true; changed; ) {
    changed = false;
    for (let state = empty.length - 1; state >= 0; state--) {
      if (empty[state]) continue;
      const called = calls[state];
      if (!skips[state].some((to) => empty[to]) && !called.some((rule, i) => i % 2 === 0 && empty[rules[rule].start] && empty[called[i + 1]])) continue;
      empty[state] = 1;
      changed = true;
    }
  }
  return empty;
}
