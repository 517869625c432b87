// What is shown of the tokens: nothing past a stop string, wherever the tokens split it, and all of the rest.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TextOutput } from "../../src/pipelines/text-generation-output.ts";

/** Tokens are single letters, 0 ends. */
const stream = { push: (ids: Iterable<number>) => String.fromCharCode(...ids), end: () => "" };

function output(stopStrings: readonly string[], maxNewTokens = Infinity): TextOutput {
  return new TextOutput({ stream, endTokens: new Set([0]), stopStrings, maxNewTokens });
}

const letters = (text: string) => [...text].map((letter) => letter.charCodeAt(0));

describe("stop strings", () => {
  it("end the text, and none of them is ever shown", () => {
    const out = output(["END", "stop"]);
    const shown = letters("an EEND of it").map((token) => out.push(token));
    expect(shown.slice(0, 8)).toEqual(["a", "n", " ", "", "E", "", "", ""]);
    expect(out).toMatchObject({ text: "an E", finishReason: "stop-string" });
    expect(out.tokens).toHaveLength(7);
    expect(shown.slice(8).join("")).toBe("");
  });

  it("that never come whole are shown in the end", () => {
    const out = output(["END"]);
    const shown = [...letters("the EN"), 0].map((token) => out.push(token)).join("");
    expect(shown).toBe("the EN");
    expect(out).toMatchObject({ text: "the EN", finishReason: "stop" });
  });

  it("show what a search over the whole text gives, however it is cut", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 30 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 }), { maxLength: 3 });
    fc.assert(fc.property(text, stops, (whole, stopStrings) => {
      const out = output(stopStrings);
      let shown = "";
      for (const token of [...letters(whole), 0]) {
        shown += out.push(token);
        expect(stopStrings.some((stop) => shown.includes(stop))).toBe(false);
      }
      // the text as soon as any stop string is complete, up to where the earliest of those begins
      const ends = stopStrings.map((stop) => whole.indexOf(stop) + stop.length).filter((end, i) => end >= stopStrings[i].length);
      const until = ends.length > 0 ? whole.slice(0, Math.min(...ends)) : whole;
      const begins = stopStrings.map((stop) => until.indexOf(stop)).filter((at) => at >= 0);
      expect(shown).toBe(until.slice(0, begins.length > 0 ? Math.min(...begins) : undefined));
      expect(out.text).toBe(shown);
    }));
  });
});

describe("an end", () => {
  it("is an end token, which is no part of the text", () => {
    const out = output([]);
    expect([...letters("ab"), 0, 99].map((token) => out.push(token))).toEqual(["a", "b", "", ""]);
    expect(out).toMatchObject({ text: "ab", tokens: [97, 98, 0], finishReason: "stop" });
  });

  it("is the number of tokens", () => {
    const out = output(["c!"], 3);
    expect(letters("abcd").map((token) => out.push(token))).toEqual(["a", "b", "c", ""]);
    expect(out).toMatchObject({ text: "abc", finishReason: "length" });
  });

  it("comes from outside, with what was held back", () => {
    const out = output(["xyz"]);
    letters("axy").forEach((token) => out.push(token));
    expect(out.end("abort")).toBe("xy");
    expect(out).toMatchObject({ text: "axy", finishReason: "abort" });
    expect(out.end("abort")).toBe("");
  });

  it("flushes the stream: half a character that stays half", () => {
    const held = { push: () => "", end: () => "\ufffd" };
    const out = new TextOutput({ stream: held, endTokens: new Set([0]), stopStrings: [], maxNewTokens: 1 });
    expect(out.push(200)).toBe("\ufffd");
    expect(out.text).toBe("\ufffd");
  });
});
