// Speculative decoding without a second model: what followed the same words before is proposed, and the model checks it in one pass
// (prompt look-up, Saxena 2023; the checking is Leviathan et al. 2023, arXiv 2211.17192).

export interface LookupOptions {
  /** Tokens at the text's end that are looked up; the longest run that occurred before decides, the latest of equals. Default 3. */
  readonly maxNgram?: number;
  /** Fewer than so many in common propose nothing. Default 1. */
  readonly minNgram?: number;
  /** Tokens that are proposed. Default 10. */
  readonly maxTokens?: number;
}

/**
 * How the text may go on: what followed the latest of the longest earlier runs that equal the text's end. A run that touches the end
 * repeats itself. Empty where nothing occurred before. Throws RangeError.
 */
export function proposeContinuation(tokens: ArrayLike<number>, { maxNgram = 3, minNgram = 1, maxTokens = 10 }: LookupOptions = {}): Int32Array<ArrayBuffer> {
  for (const [name, value] of Object.entries({ maxNgram, minNgram, maxTokens })) {
    if (!(Number.isInteger(value) && value >= 1)) throw new RangeError(`${name}: a positive whole number expected, got ${value}`);
  }
  const { length } = tokens;
  let longest = minNgram - 1;
  let best = -1; // where the continuation of the best run starts
  for (let end = length - 1; end > longest && longest < maxNgram; end--) {
    let run = 0;
    while (run < maxNgram && run < end && tokens[end - 1 - run] === tokens[length - 1 - run]) run++;
    if (run <= longest) continue;
    longest = run;
    best = end;
  }
  if (best < 0) return new Int32Array();
  const period = length - best;
  return Int32Array.from({ length: maxTokens }, (_, i) => tokens[best + (i % period)]);
}

/** What a pass over proposed tokens gave. */
export interface Acceptance {
  /** Proposed tokens that the model would have chosen itself; the cache keeps these and drops the rest. */
  readonly accepted: number;
  /** The tokens that the text gains: the accepted ones and the model's own next, or up to an end token. */
  readonly tokens: number[];
}

/**
 * Greedy acceptance: the text is what it would be without proposals. `chosen` [K + 1] are the model's likeliest tokens: first the one
 * after the text, then those after each of the K `proposed`. Nothing follows one of `endTokens`. Throws RangeError.
 */
export function acceptGreedy(proposed: ArrayLike<number>, chosen: ArrayLike<number>, endTokens: ReadonlySet<number> = new Set()): Acceptance {
  if (chosen.length !== proposed.length + 1) throw new RangeError(`acceptGreedy: ${proposed.length + 1} chosen tokens expected, got ${chosen.length}`);
  const tokens = [chosen[0]];
  let accepted = 0;
  while (accepted < proposed.length && proposed[accepted] === chosen[accepted] && !endTokens.has(chosen[accepted])) tokens.push(chosen[++accepted]);
  return { accepted, tokens };
}
