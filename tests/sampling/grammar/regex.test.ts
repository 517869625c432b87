// Regular expressions as grammars, against the engine's own; and masks, against trying each token.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileRegex } from "../../../src/sampling/grammar/regex.ts";
import { lcg } from "../../kernels/values.ts";
import { allowedTokens, bytesVocabulary, fits, randomVocabulary, spell } from "./vocabularies.ts";

const atom = fc.constantFrom("a", "b", "é", "😀", ".", "[a-c]", "[^a]", "\\d", "\\w", "[\\s-]", "\\.", "\\u00e9", "[😀-😎é]", "\\x41", "\\p{L}", "/");
const { pattern: patterns } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
  pattern: fc.oneof({ depthSize: "small" }, fc.array(tie("part"), { maxLength: 4 }).map((parts) => parts.join("")), fc.tuple(tie("pattern"), tie("pattern")).map(([a, b]) => `${a}|${b}`)),
  part: fc.tuple(fc.oneof({ depthSize: "small" }, atom, tie("pattern").map((inside) => `(${inside})`), tie("pattern").map((inside) => `(?:${inside})`)), fc.constantFrom("", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?")).map((both) => both.join("")),
}));

/** Whether a repeated group holds choices: the engine's own matching may then take exponential time in a text's length. */
function backtracks(pattern: string): boolean {
  const groups = [false]; // whether each open group holds a choice
  const characters = [...pattern];
  for (const [i, character] of characters.entries()) {
    if (character === "(") groups.push(false);
    else if ("*+?{|".includes(character) && characters[i - 1] !== "(") groups[groups.length - 1] = true;
    if (character !== ")") continue;
    const choice = groups.pop();
    if (choice && "*+{".includes(characters[i + 1] ?? " ")) return true;
    if (choice) groups[groups.length - 1] = true;
  }
  return false;
}

describe("a compiled regular expression", () => {
  it("has the texts that the engine's own matches", () => {
    fc.assert(
      fc.property(patterns, fc.array(fc.array(fc.constantFrom("a", "b", "c", "é", "😀", "A", "1", ".", " ", "-", "/", "\n"), { maxLength: 6 }), { minLength: 8, maxLength: 8 }), (pattern, texts) => {
        const grammar = compileRegex(pattern, bytesVocabulary);
        const own = new RegExp(`^(?:${pattern})$`, "u");
        for (const text of texts.map((characters) => characters.join(""))) expect(fits(grammar, text), JSON.stringify({ pattern, text })).toBe(own.test(text));
      }),
      { numRuns: 80 },
    );
  });

  it("lets every draw end in a text that matches", () => {
    fc.assert(
      fc.property(patterns.filter((pattern) => !backtracks(pattern)), fc.nat(), (pattern, seed) => {
        const next = lcg(seed);
        const vocabulary = randomVocabulary(next);
        const { text } = spell(compileRegex(pattern, vocabulary), vocabulary, next, 30);
        expect(text).toMatch(new RegExp(`^(?:${pattern})$`, "u"));
      }),
      { numRuns: 40 },
    );
  });

  it("masks just the tokens that can be taken", () => {
    fc.assert(
      fc.property(patterns, fc.nat(), (pattern, seed) => {
        const next = lcg(seed);
        const vocabulary = randomVocabulary(next);
        const grammar = compileRegex(pattern, vocabulary);
        const taken: number[] = [];
        for (let step = 0; step < 4; step++) {
          const at = (): ReturnType<typeof grammar.start> => {
            const state = grammar.start();
            for (const id of taken) state.advance(id);
            return state;
          };
          const allowed = allowedTokens(at().mask());
          const able = Array.from({ length: vocabulary.vocabSize }, (_, id) => id).filter((id) => {
            try {
              at().advance(id);
              return true;
            } catch {
              return false;
            }
          });
          expect(allowed).toEqual(able);
          const texts = allowed.filter((id) => id !== vocabulary.vocabSize - 1);
          if (texts.length === 0) return;
          taken.push(texts[Math.floor(next() * texts.length)]);
        }
      }),
      { numRuns: 8 },
    );
  });

  it("counts without copies: a large count is a small automaton", () => {
    const grammar = compileRegex("^(?:\\p{L}{1,20} ){500}$", bytesVocabulary);
    expect(fits(grammar, "word ".repeat(500))).toBe(true);
    expect(fits(grammar, "word ".repeat(499))).toBe(false);
  });

  it.each([
    ["(?<!a)b", "a look-around (?<!"],
    ["(a)\\1", "a back-reference"],
    ["\\bword", "the escape \\b"],
    ["a^b", "^ inside the pattern"],
    ["(a$|b)", "$ inside a group"],
    ["a**", "a quantifier of a quantifier"],
    ["a{3,1}", "a count from 3 to 1"],
    ["(a", "( without its end"],
    ["a)", "a ) without its beginning"],
    ["[a", "[ without its end"],
    ["[z-a]", "a range whose ends"],
    ["*a", "* here"],
    ["\\p{Nothing}", "the property \\p{Nothing}"],
    ["\\", "\\ at the end"],
  ])("refuses %s by name", (pattern, message) => {
    expect(() => compileRegex(pattern, bytesVocabulary)).toThrow(message);
  });
});
