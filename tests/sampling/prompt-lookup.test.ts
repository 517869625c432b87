// Prompt look-up: proposals against a plain search, and texts that do not change by them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { acceptGreedy, proposeContinuation } from "../../src/sampling/prompt-lookup.ts";

const texts = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 40 });

describe("proposeContinuation", () => {
  it("gives what followed the longest run that occurred before, the latest of equals", () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 12 }), (text, maxNgram, minNgram, maxTokens) => {
        let expected: number[] = [];
        for (let size = maxNgram; size >= minNgram && expected.length === 0; size--) {
          const tail = text.slice(-size).join();
          for (let start = text.length - size - 1; start >= 0 && expected.length === 0; start--) {
            if (text.slice(start, start + size).join() !== tail) continue;
            const endless = [...text];
            for (let at = start + size; expected.length < maxTokens; at++) {
              expected.push(endless[at]);
              endless.push(endless[at]);
            }
          }
        }
        expect([...proposeContinuation(text, { maxNgram, minNgram, maxTokens })]).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("proposes nothing where nothing occurred before, and refuses bad counts", () => {
    expect(proposeContinuation([])).toHaveLength(0);
    expect(proposeContinuation([1])).toHaveLength(0);
    expect(proposeContinuation([1, 2, 3])).toHaveLength(0);
    expect(() => proposeContinuation([1], { maxTokens: 0 })).toThrow("maxTokens: a positive whole number expected, got 0");
  });
});

describe("acceptGreedy", () => {
  /** A "model": the next token is a function of the last two, so that texts soon repeat. */
  const model = (seed: number) => (text: readonly number[]): number => ((text.at(-1) ?? 0) * 7 + (text.at(-2) ?? 0) * 3 + seed) % 11;

  it("leaves the text as it is without proposals, in fewer passes where it repeats", () => {
    fc.assert(
      fc.property(fc.nat(10), texts, fc.option(fc.nat(10)), (seed, prompt, end) => {
        const next = model(seed);
        const ends = new Set(end === null ? [] : [end]);
        const plain = [...prompt];
        while (plain.length < prompt.length + 60 && !ends.has(plain.length > prompt.length ? (plain.at(-1) ?? -1) : -1)) plain.push(next(plain));
        const fast = [...prompt];
        let passes = 0;
        while (fast.length < plain.length) {
          const proposed = proposeContinuation(fast);
          const chosen = Array.from({ length: proposed.length + 1 }, (_, i) => next([...fast, ...proposed.slice(0, i)]));
          const { accepted, tokens } = acceptGreedy(proposed, chosen, ends);
          expect(tokens).toHaveLength(accepted + 1);
          fast.push(...tokens);
          passes++;
        }
        expect(fast.slice(0, plain.length)).toEqual(plain);
        if (end !== null && ends.has(plain.at(-1) ?? -1) && plain.length > prompt.length) expect(fast).toHaveLength(plain.length);
        expect(passes).toBeLessThanOrEqual(plain.length - prompt.length);
      }),
      { numRuns: 200 },
    );
    const text = [1, 2, 3, 4, 1, 2, 3];
    expect(acceptGreedy(proposeContinuation(text, { maxTokens: 3 }), [4, 1, 9, 5])).toEqual({ accepted: 2, tokens: [4, 1, 9] });
    expect(acceptGreedy([4, 1], [4, 1, 2], new Set([4]))).toEqual({ accepted: 0, tokens: [4] });
    expect(acceptGreedy([], [6])).toEqual({ accepted: 0, tokens: [6] });
  });

  it("needs one more choice than there are proposals", () => {
    expect(() => acceptGreedy([1, 2], [1, 2])).toThrow("acceptGreedy: 3 chosen tokens expected, got 2");
  });
});
