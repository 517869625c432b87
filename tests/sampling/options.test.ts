// Every sampling option that does not fit is named with what it may be.
import { describe, expect, it } from "vitest";
import { checkSampling, type SamplingOptions } from "../../src/sampling/options.ts";

describe("sampling options", () => {
  it("have defaults that change nothing", () => {
    const { seed, ...rest } = checkSampling({}, 100);
    expect(rest).toEqual({
      logitBias: new Map(), repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, noRepeatNgramSize: 0,
      doSample: false, temperature: 1, topK: 0, topP: 1, minP: 0, typicalP: 1, topLogProbs: null,
    });
    expect(seed >= 0n && seed < 2n ** 64n).toBe(true);
  });

  it("keep what fits", () => {
    const options = { doSample: true, temperature: 0.3, topK: 40, topP: 0, minP: 1, typicalP: 0.2, seed: 2n ** 64n - 1n, logitBias: { 99: -Infinity }, topLogProbs: 20 };
    expect(checkSampling(options, 100)).toMatchObject({ ...options, logitBias: new Map([[99, -Infinity]]) });
    expect(checkSampling({ doSample: true, topK: 100 }, 100).topK).toBe(0);
  });

  it("of drawing do not matter to greedy search", () => {
    expect(checkSampling({ temperature: 0, topP: 7 }, 100)).toMatchObject({ doSample: false, temperature: 1, topP: 1 });
  });

  const wrong: [SamplingOptions, string][] = [
    [{ doSample: true, temperature: 0 }, "temperature: a number above 0 (for the likeliest token every time, leave it out and set doSample to false) expected, got 0"],
    [{ doSample: true, temperature: -1 }, "temperature: a number above 0 expected, got -1"],
    [{ doSample: true, temperature: NaN }, "temperature: a number above 0 expected, got NaN"],
    [{ doSample: true, topK: 1.5 }, "topK: a whole number, 0 for all tokens expected, got 1.5"],
    [{ doSample: true, topP: 1.01 }, "topP: a number from 0 to 1 expected, got 1.01"],
    [{ doSample: true, minP: -0.1 }, "minP: a number from 0 to 1 expected, got -0.1"],
    [{ doSample: true, typicalP: 0 }, "typicalP: a number above 0, at most 1 expected, got 0"],
    [{ repetitionPenalty: 0 }, "repetitionPenalty: a number above 0 expected, got 0"],
    [{ presencePenalty: Infinity }, "presencePenalty: a number expected, got Infinity"],
    [{ noRepeatNgramSize: -1 }, "noRepeatNgramSize: a whole number, 0 for none expected, got -1"],
    [{ logitBias: { 100: 1 } }, "logitBias: token ids from 0 to 99 expected, got 100"],
    [{ logitBias: { 5: Infinity } }, "logitBias of token 5: a number or -Infinity expected, got Infinity"],
    [{ topLogProbs: 21 }, "topLogProbs: a whole number from 0 to 20 expected, got 21"],
    [{ seed: -1 }, "seed: 0 … 2^64 − 1 expected, got -1"],
  ];
  it.each(wrong)("%o is refused", (options, message) => {
    expect(() => checkSampling(options, 100)).toThrow(new RangeError(message));
  });
});
