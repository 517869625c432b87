// How the next token is chosen: the options, named as transformers.js names them, with every value checked.
import { splitSeed } from "../random/seed.ts";

/** All of them may be left out. The processors (first group) work for greedy search too; the warpers (second) only with doSample. */
export interface SamplingOptions {
  /** Added to the logits of single tokens, by id; -Infinity forbids a token. */
  readonly logitBias?: Readonly<Record<number, number>>;
  /** Logits of tokens that occurred, prompt included, are divided by it if positive, multiplied if negative. 1 does nothing. Keskar et al. 2019. */
  readonly repetitionPenalty?: number;
  /** Subtracted from the logit of each token that was generated. */
  readonly presencePenalty?: number;
  /** Subtracted as often as the token was generated. */
  readonly frequencyPenalty?: number;
  /** No run of so many tokens occurs twice, prompt included. 0 does nothing. */
  readonly noRepeatNgramSize?: number;

  /** Draw at random. Otherwise the likeliest token is taken, the one of the lowest id among equals, and no warper is applied. Default false. */
  readonly doSample?: boolean;
  /** The logits are divided by it. Default 1. */
  readonly temperature?: number;
  /** The k likeliest tokens stay. 0, the default: all. */
  readonly topK?: number;
  /** The fewest likeliest tokens stay that hold this probability. Default 1: all. Holtzman et al. 2019. */
  readonly topP?: number;
  /** Tokens stay that are at least so likely as this fraction of the likeliest. Default 0: all. Nguyen et al. 2024. */
  readonly minP?: number;
  /** The tokens stay whose surprise is nearest to the entropy, and that hold this probability. Default 1: all. Meister et al. 2022. */
  readonly typicalP?: number;
  /** 0 … 2^64 - 1; a random one by default. The same seed draws the same random numbers on every machine. */
  readonly seed?: number | bigint;

  /** Log-probabilities of the chosen token and of so many of the likeliest, 0 … 20, under the model's own logits. Default: none are computed. */
  readonly topLogProbs?: number;
}

/** The options with every default filled in. */
export interface Sampling {
  readonly logitBias: ReadonlyMap<number, number>;
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly noRepeatNgramSize: number;
  readonly doSample: boolean;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly typicalP: number;
  readonly seed: bigint;
  readonly topLogProbs: number | null;
}

export const MOST_TOP_LOG_PROBS = 20;

/** Fills in the defaults. Throws RangeError that names the option and what it may be. Warpers are checked with doSample only: greedy search ignores them. */
export function checkSampling(options: SamplingOptions, vocabSize: number): Sampling {
  const { doSample = false, logitBias = {}, repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, noRepeatNgramSize = 0, topLogProbs } = options;
  const { temperature = 1, topK = 0, topP = 1, minP = 0, typicalP = 1 } = doSample ? options : {};
  const seed = options.seed ?? crypto.getRandomValues(new BigUint64Array(1))[0];
  splitSeed(seed);
  expect("repetitionPenalty", repetitionPenalty, "a number above 0", finite(repetitionPenalty) && repetitionPenalty > 0);
  expect("presencePenalty", presencePenalty, "a number", finite(presencePenalty));
  expect("frequencyPenalty", frequencyPenalty, "a number", finite(frequencyPenalty));
  expect("noRepeatNgramSize", noRepeatNgramSize, "a whole number, 0 for none", count(noRepeatNgramSize));
  expect("temperature", temperature, temperature === 0 ? "a number above 0 (for the likeliest token every time, leave it out and set doSample to false)" : "a number above 0", finite(temperature) && temperature > 0);
  expect("topK", topK, "a whole number, 0 for all tokens", count(topK));
  expect("topP", topP, "a number from 0 to 1", finite(topP) && topP >= 0 && topP <= 1);
  expect("minP", minP, "a number from 0 to 1", finite(minP) && minP >= 0 && minP <= 1);
  expect("typicalP", typicalP, "a number above 0, at most 1", finite(typicalP) && typicalP > 0 && typicalP <= 1);
  expect("topLogProbs", topLogProbs, `a whole number from 0 to ${MOST_TOP_LOG_PROBS}`, topLogProbs === undefined || (count(topLogProbs) && topLogProbs <= Math.min(MOST_TOP_LOG_PROBS, vocabSize)));
  return {
    logitBias: checkBias(logitBias, vocabSize),
    repetitionPenalty,
    presencePenalty,
    frequencyPenalty,
    noRepeatNgramSize,
    doSample,
    temperature,
    topK: topK < vocabSize ? topK : 0,
    topP,
    minP,
    typicalP,
    seed: BigInt(seed),
    topLogProbs: topLogProbs ?? null,
  };
}

function checkBias(bias: Readonly<Record<number, number>>, vocabSize: number): Map<number, number> {
  const entries = Object.entries(bias).map(([id, value]) => [Number(id), value] as const);
  for (const [id, value] of entries) {
    expect("logitBias", id, `token ids from 0 to ${vocabSize - 1}`, count(id) && id < vocabSize);
    expect(`logitBias of token ${id}`, value, "a number or -Infinity", finite(value) || value === -Infinity);
  }
  return new Map(entries);
}

function finite(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value);
}

function count(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function expect(name: string, got: unknown, what: string, fits: boolean): void {
  if (!fits) throw new RangeError(`${name}: ${what} expected, got ${String(got)}`);
}
