// The tokens of a vocabulary as a trie of bytes, laid out in preorder: a walk is one loop, and a subtree is skipped by one jump.
import { GrammarError } from "./errors.ts";

/** What grammars need of a tokenizer; a GenerationTokenizer is one. */
export interface GrammarVocabulary {
  /** Size of the logits: tokens are 0 … vocabSize-1. */
  readonly vocabSize: number;
  /** Any of them ends the text. */
  readonly endTokens: Iterable<number>;
  /** Bytes that a token adds to the text; null for special tokens and for numbers without a token. */
  tokenBytes(id: number): Uint8Array | null;
}

export interface TokenTrie {
  readonly vocabSize: number;
  readonly endTokens: readonly number[];
  /** Nodes without the root, in preorder: the byte that leads to each, and its depth from 1. */
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  /** The first node after the subtree of each. */
  readonly after: Int32Array;
  /** Tokens that end at node i: tokens[first[i] … first[i + 1] - 1]. */
  readonly first: Int32Array;
  readonly tokens: Int32Array;
  /** Longest token, in bytes. */
  readonly height: number;
  bytesOf(id: number): Uint8Array | null;
  /** Whether a byte is a token of its own. */
  spells(byte: number): boolean;
  /** The longest token that begins `bytes` at `start`; null if none does. */
  longest(bytes: readonly number[], start: number): { readonly token: number; readonly length: number } | null;
}

interface Token {
  readonly id: number;
  readonly bytes: Uint8Array;
}

const tries = new WeakMap<GrammarVocabulary, TokenTrie>();

/** The trie of a vocabulary, made once. */
export function trieOf(vocabulary: GrammarVocabulary): TokenTrie {
  const known = tries.get(vocabulary);
  if (known) return known;
  const trie = buildTrie(vocabulary);
  tries.set(vocabulary, trie);
  return trie;
}

function buildTrie(vocabulary: GrammarVocabulary): TokenTrie {
  const { vocabSize } = vocabulary;
  const endTokens = [...new Set(vocabulary.endTokens)].filter((id) => id >= 0 && id < vocabSize);
  const sorted = sortedTokens(vocabulary, new Set(endTokens));
  const most = sorted.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const byte = new Uint8Array(most);
  const depth = new Uint16Array(most);
  const after = new Int32Array(most);
  const first = new Int32Array(most + 1);
  const tokens = Int32Array.from(sorted, ({ id }) => id);
  const open: number[] = []; // the nodes of the token before
  let nodes = 0;
  let before: Uint8Array = new Uint8Array();
  sorted.forEach(({ bytes }, index) => {
    let shared = 0;
    while (shared < bytes.length && shared < before.length && bytes[shared] === before[shared]) shared++;
    while (open.length > shared) after[open.pop() ?? 0] = nodes;
    for (let at = shared; at < bytes.length; at++) {
      byte[nodes] = bytes[at];
      depth[nodes] = at + 1;
      first[nodes] = index;
      open.push(nodes++);
    }
    first[nodes] = index + 1; // this token, and those before it, end at earlier nodes than the next
    before = bytes;
  });
  for (const node of open) after[node] = nodes;
  const height = sorted.reduce((longest, { bytes }) => Math.max(longest, bytes.length), 0);
  const parts = { byte: byte.slice(0, nodes), depth: depth.slice(0, nodes), after: after.slice(0, nodes), first: first.slice(0, nodes + 1), tokens };
  const roots = new Int32Array(256).fill(-1);
  for (let node = 0; node < nodes; node = parts.after[node]) roots[parts.byte[node]] = node;
  return {
    vocabSize,
    endTokens,
    ...parts,
    height,
    bytesOf: (id) => (id >= 0 && id < vocabSize ? vocabulary.tokenBytes(id) : null),
    spells: (value) => roots[value] >= 0 && parts.first[roots[value] + 1] > parts.first[roots[value]],
    longest: (bytes, start) => longestOf(parts, roots, bytes, start),
  };
}

/** Tokens with text, in the order of their bytes. End tokens end; they never spell. */
function sortedTokens(vocabulary: GrammarVocabulary, ends: ReadonlySet<number>): Token[] {
  const list: Token[] = [];
  for (let id = 0; id < vocabulary.vocabSize; id++) {
    const bytes = ends.has(id) ? null : vocabulary.tokenBytes(id);
    if (bytes?.length && bytes.length < 2 ** 16) list.push({ id, bytes });
  }
  // Most are told apart by four bytes; those and the place in the list make one number, which sorts much faster than a comparison does.
  const places = 2 ** 20;
  if (list.length > places) throw new GrammarError(`grammar: a vocabulary of more than ${places} tokens`);
  const keys = Float64Array.from(list, ({ bytes: [a, b = 0, c = 0, d = 0] }, place) => (((a * 256 + b) * 256 + c) * 256 + d) * places + place).sort();
  const sorted = Array.from(keys, (key) => list[key % places]);
  for (let start = 0, end = 1; start < sorted.length; start = end++) {
    while (end < sorted.length && Math.floor(keys[end] / places) === Math.floor(keys[start] / places)) end++;
    if (end - start > 1) sorted.slice(start, end).sort(byBytes).forEach((token, i) => (sorted[start + i] = token));
  }
  return sorted;
}

function byBytes(a: Token, b: Token): number {
  const length = Math.min(a.bytes.length, b.bytes.length);
  for (let i = 0; i < length; i++) if (a.bytes[i] !== b.bytes[i]) return a.bytes[i] - b.bytes[i];
  return a.bytes.length - b.bytes.length || a.id - b.id;
}

function longestOf({ byte, after, first, tokens }: Pick<TokenTrie, "byte" | "after" | "first" | "tokens">, roots: Int32Array, bytes: readonly number[], start: number): { token: number; length: number } | null {
  let found: { token: number; length: number } | null = null;
  let node = start < bytes.length ? roots[bytes[start]] : -1;
  for (let length = 1; node >= 0; length++) {
    if (first[node + 1] > first[node]) found = { token: tokens[first[node]], length };
    const wanted = bytes[start + length];
    let child = node + 1;
    while (child < after[node] && byte[child] !== wanted) child = after[child];
    node = wanted !== undefined && child < after[node] ? child : -1;
  }
  return found;
}
