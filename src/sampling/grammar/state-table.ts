// The pushdown automaton made deterministic as far as it is walked: a state is a set of (automaton state, stack), numbered when first met.
import { type Automaton, never } from "./automaton.ts";

/** Where to return to, and below it the callers. Equal stacks are one object. */
interface Stack {
  readonly number: number;
  readonly state: number;
  readonly below: Stack | null;
  /** Fewest bytes that end all rules on the stack. */
  readonly distance: number;
}

interface Place {
  readonly state: number;
  readonly stack: Stack;
}

interface TableState {
  /** Places that wait for a byte. */
  readonly places: readonly Place[];
  /** Whether the text may end here. */
  readonly accepts: boolean;
  /** Fewest bytes to an end, by bytes that are tokens of their own; `never` in the middle of what only a longer token spells. */
  readonly distance: number;
}

/** No text goes on so. */
export const dead = 0;
/** A transition that was not taken yet. */
export const unknown = -1;

export class StateTable {
  /** Classes of bytes that the automaton does not tell apart. */
  readonly classOf = new Uint8Array(256);
  readonly classes: number;
  /** next[state * classes + class]: a state, `dead` or `unknown`. Replaced when it grows. */
  next: Int32Array<ArrayBuffer>;
  /** Distance of each state. Replaced when it grows. */
  distance: Int32Array<ArrayBuffer>;
  readonly start: number;
  readonly #samples: number[] = []; // a byte of each class
  readonly #states: TableState[] = [{ places: [], accepts: false, distance: never }];
  readonly #numbers = new Map<string, number>([["", dead]]);
  readonly #stacks = new Map<number, Stack>();
  readonly #bottom: Stack = { number: 0, state: -1, below: null, distance: 0 };

  constructor(readonly automaton: Automaton) {
    this.classes = this.#classify();
    this.next = new Int32Array(64 * this.classes).fill(unknown);
    this.next.fill(dead, 0, this.classes);
    this.distance = new Int32Array(64).fill(never);
    this.start = this.#number([{ state: automaton.rules[automaton.root].start, stack: this.#bottom }]);
  }

  /** States met so far. */
  get size(): number {
    return this.#states.length;
  }

  accepts(state: number): boolean {
    return this.#states[state].accepts;
  }

  /** Whether nothing but the end may follow. */
  complete(state: number): boolean {
    return this.#states[state].accepts && this.#states[state].places.length === 0;
  }

  /** The state after a byte. */
  step(state: number, byte: number): number {
    const known = this.next[state * this.classes + this.classOf[byte]];
    return known === unknown ? this.take(state, this.classOf[byte]) : known;
  }

  /** Computes and keeps the transition of a class of bytes. */
  take(state: number, byteClass: number): number {
    const byte = this.#samples[byteClass];
    const reached: Place[] = [];
    for (const { state: place, stack } of this.#states[state].places) {
      const edges = this.automaton.edges[place];
      for (let i = 0; i < edges.length; i += 3) if (edges[i] <= byte && byte <= edges[i + 1]) reached.push({ state: edges[i + 2], stack });
    }
    const to = this.#number(reached);
    this.next[state * this.classes + byteClass] = to;
    return to;
  }

  /** Bytes of a shortest way to an end. */
  wayOut(from: number): number[] {
    const { places, accepts } = this.#states[from];
    if (accepts) return [];
    const { steps, rules } = this.automaton;
    const best = places.reduce((a, b) => (this.#distanceOf(b) < this.#distanceOf(a) ? b : a));
    const bytes: number[] = [];
    const returns: number[] = []; // of rules called on the way
    let { state } = best;
    let stack: Stack | null = best.stack;
    for (;;) {
      const step = steps[state];
      if (step === null) {
        const back = returns.pop();
        if (back !== undefined) state = back;
        else if (stack?.below) [state, stack] = [stack.state, stack.below];
        else return bytes;
      } else if ("byte" in step) {
        bytes.push(step.byte);
        state = step.to;
      } else if (step.rule === null) {
        state = step.to;
      } else {
        returns.push(step.to);
        state = rules[step.rule].start;
      }
    }
  }

  #distanceOf({ state, stack }: Place): number {
    return Math.min(never, this.automaton.distance[state] + stack.distance);
  }

  /** The number of the state that these places and all that they lead to without a byte make. */
  #number(seeds: readonly Place[]): number {
    const { edges, skips, calls, ends, passable, rules } = this.automaton;
    const seen = new Set<number>();
    const kept: Place[] = [];
    let accepts = false;
    const open: Place[] = [];
    const visit = (state: number, stack: Stack): void => {
      const key = stack.number * edges.length + state;
      if (!passable[state] || seen.has(key)) return;
      seen.add(key);
      open.push({ state, stack });
    };
    for (const { state, stack } of seeds) visit(state, stack);
    for (let place = open.pop(); place; place = open.pop()) {
      const { state, stack } = place;
      if (edges[state].length) kept.push(place);
      if (ends[state] && stack.below) visit(stack.state, stack.below);
      else if (ends[state]) accepts = true;
      for (const to of skips[state]) visit(to, stack);
      const called = calls[state];
      for (let i = 0; i < called.length; i += 2) if (passable[called[i + 1]]) visit(rules[called[i]].start, this.#push(called[i + 1], stack));
    }
    const places = kept.map((place) => ({ place, key: place.stack.number * edges.length + place.state })).sort((a, b) => a.key - b.key);
    const name = `${accepts ? "." : ""}${places.map(({ key }) => key).join()}`;
    return this.#numbers.get(name) ?? this.#add(name, { places: places.map(({ place }) => place), accepts, distance: accepts ? 0 : kept.reduce((least, place) => Math.min(least, this.#distanceOf(place)), never) });
  }

  #add(name: string, state: TableState): number {
    const number = this.#states.push(state) - 1;
    this.#numbers.set(name, number);
    if (number === this.distance.length) {
      const next = new Int32Array(2 * number * this.classes).fill(unknown);
      next.set(this.next);
      this.next = next;
      const distance = new Int32Array(2 * number).fill(never);
      distance.set(this.distance);
      this.distance = distance;
    }
    this.distance[number] = state.distance;
    return number;
  }

  #push(state: number, below: Stack): Stack {
    const key = below.number * this.automaton.edges.length + state;
    const known = this.#stacks.get(key);
    if (known) return known;
    const made = { number: this.#stacks.size + 1, state, below, distance: Math.min(never, this.automaton.distance[state] + below.distance) };
    this.#stacks.set(key, made);
    return made;
  }

  /** Fills `classOf`: bytes between two neighbouring borders of edges behave alike. */
  #classify(): number {
    const borders = new Set([0]);
    for (const edges of this.automaton.edges) {
      for (let i = 0; i < edges.length; i += 3) borders.add(edges[i]).add(edges[i + 1] + 1);
    }
    for (let byte = 0; byte < 256; byte++) {
      if (borders.has(byte)) this.#samples.push(byte);
      this.classOf[byte] = this.#samples.length - 1;
    }
    return this.#samples.length;
  }
}
