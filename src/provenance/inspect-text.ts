// Whether a text bears the watermark of a key: its green tokens counted, and how likely so many are by chance.
import { type GreenList, greenListOf, isGreen, seedAfter, type WatermarkOptions } from "../sampling/watermark.ts";

export interface TextInspection {
  /** Tokens that were counted: those with a whole context before them, equal ones after an equal decider once. */
  readonly tokens: number;
  /** The part of them that is green; by chance greenlistRatio. NaN where none were counted. */
  readonly greenFraction: number;
  /** Standard deviations above chance. */
  readonly zScore: number;
  /** How likely a text without the mark has so many green tokens or more: the binomial distribution's tail. */
  readonly pValue: number;
  /** Whether pValue is below `significance`. */
  readonly marked: boolean;
}

/** The key and the options that the text was generated with; `bias` does not matter. */
export interface InspectTextOptions extends Omit<WatermarkOptions, "bias"> {
  /** Of the texts without the mark, this part is taken for marked. Default 1e-6. */
  readonly significance?: number;
  /** Needed for a text that is given as a string: the tokenizer of the model that may have written it. */
  readonly tokenizer?: { encode(text: string, options: { addSpecialTokens: boolean }): ArrayLike<number> };
}

/**
 * Looks for a watermark in a text, or in its tokens without the prompt. Each pair of a green list and a token counts once, as repeated
 * phrases would count the same chance again. Throws RangeError for options out of range, TypeError for a string without a tokenizer.
 */
export function inspectText(text: string | ArrayLike<number>, options: InspectTextOptions): TextInspection {
  const { significance = 1e-6, tokenizer } = options;
  const list = greenListOf({ ...options, bias: 0 });
  if (typeof text === "string" && !tokenizer) throw new TypeError("inspectText: a text needs the tokenizer of the model that may have written it");
  const ids = typeof text === "string" ? (tokenizer?.encode(text, { addSpecialTokens: false }) ?? []) : text;
  const { tokens, green } = countGreen(list, Array.from(ids));
  const { ratio } = list;
  const zScore = tokens ? (green - ratio * tokens) / Math.sqrt(tokens * ratio * (1 - ratio)) : 0;
  const pValue = binomialTail(tokens, green, ratio);
  return { tokens, greenFraction: green / tokens, zScore, pValue, marked: pValue < significance };
}

function countGreen(list: GreenList, ids: readonly number[]): { tokens: number; green: number } {
  const counted = new Set<number>();
  let green = 0;
  for (let at = list.contextWidth; at < ids.length; at++) {
    const seed = seedAfter(list, ids.slice(at - list.contextWidth, at));
    if (seed === null) continue;
    const pair = ids[at] * 2 ** 32 + seed; // exact for ids below 2^21
    if (counted.has(pair)) continue;
    counted.add(pair);
    if (isGreen(list, seed, ids[at])) green++;
  }
  return { tokens: counted.size, green };
}

/** P(X ≥ count) of a binomial distribution of `trials` with probability p. */
export function binomialTail(trials: number, count: number, p: number): number {
  if (count <= 0) return 1;
  let logTerm = count * Math.log(p) + (trials - count) * Math.log1p(-p);
  for (let i = 1; i <= count; i++) logTerm += Math.log((trials - count + i) / i);
  let sum = 0;
  for (let k = count; k <= trials; k++) {
    const term = Math.exp(logTerm);
    sum += term;
    if (k > p * trials && term < 1e-17 * sum) break;
    logTerm += Math.log(((trials - k) / (k + 1)) * (p / (1 - p)));
  }
  return Math.min(1, sum);
}
