// Regular expressions as grammars.
import { AutomatonBuilder } from "./automaton.ts";
import { Grammar } from "./grammar.ts";
import { type Branch, parseRegex, type RegexNode } from "./regex-parser.ts";
import type { GrammarVocabulary } from "./trie.ts";
import { type CodeRange, type CodeSet, everyCodePoint, utf8Sequences } from "./utf8.ts";

/** Appends the spellings of one character of a set. */
export type EmitSet = (builder: AutomatonBuilder, from: number, set: CodeSet) => number;

/**
 * The grammar of all texts that a pattern matches from their start to their end (so ^ and $ at its ends change nothing).
 * Look-arounds, back-references and word boundaries are not regular. Throws GrammarError, naming what is not supported.
 */
export function compileRegex(pattern: string, vocabulary: GrammarVocabulary): Grammar {
  const builder = new AutomatonBuilder();
  const branches = parseRegex(pattern).map((branch) => ({ ...branch, fromStart: true, toEnd: true }));
  const root = builder.rule(`the pattern ${JSON.stringify(pattern)}`, (from) => emitBranches(builder, from, branches, emitUtf8));
  return new Grammar(builder, root, vocabulary);
}

/** Appends what the branches match; where one is not held to the text's ends, any characters there. */
export function emitBranches(builder: AutomatonBuilder, from: number, branches: readonly Branch[], emitSet: EmitSet): number {
  const anything = (at: number): number => builder.repeat(at, 0, Infinity, (each) => emitSet(builder, each, everyCodePoint));
  return builder.either(
    from,
    branches.map(({ fromStart, toEnd, body }) => (start: number) => {
      const end = emitNode(builder, fromStart ? start : anything(start), body, emitSet);
      return toEnd ? end : anything(end);
    }),
  );
}

/** Sequences that begin alike share their states, so that the automaton is deterministic in a character. */
export const emitUtf8: EmitSet = (builder, from, set) => {
  const to = builder.state();
  const spread = (at: number, sequences: readonly (readonly CodeRange[])[]): void => {
    const tails = new Map<string, { first: CodeRange; rest: CodeRange[][] }>();
    for (const [first, ...rest] of sequences) {
      const known = tails.get(first.join());
      if (known) known.rest.push(rest);
      else tails.set(first.join(), { first, rest: [rest] });
    }
    for (const { first, rest } of tails.values()) {
      if (rest[0].length === 0) builder.bytes(at, first[0], first[1], to);
      else spread(builder.bytes(at, first[0], first[1]), rest);
    }
  };
  spread(from, utf8Sequences(set));
  return to;
};

function emitNode(builder: AutomatonBuilder, from: number, node: RegexNode, emitSet: EmitSet): number {
  switch (node.kind) {
    case "set":
      return emitSet(builder, from, node.set);
    case "sequence":
      return node.parts.reduce((at, part) => emitNode(builder, at, part, emitSet), from);
    case "either":
      return builder.either(from, node.ways.map((way) => (at: number) => emitNode(builder, at, way, emitSet)));
    case "repeat": {
      const once = (at: number): number => emitNode(builder, at, node.part, emitSet);
      const copies = node.most === Infinity ? node.least + 1 : node.most;
      if (copies < 3) return builder.repeat(from, node.least, node.most, once);
      const rule = builder.rule("a repeated part", once); // so that each further time costs a call, not a copy
      return builder.repeat(from, node.least, node.most, (at) => builder.call(at, rule));
    }
  }
}
