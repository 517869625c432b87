// Plain sampling in f64: which tokens the warpers keep, and the inverse of the distribution function.
import { philox4x32 } from "../../src/random/philox.ts";

export interface PlainWarpers {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly typicalP: number;
}

/** Ids that stay: those whose strictly better ones are fewer than top-k, then hold less than top-p, and so on. */
export function plainKept(logits: Float32Array, { temperature, topK, topP, minP, typicalP }: PlainWarpers): number[] {
  const scores = [...logits].map((x) => Math.fround(x / temperature));
  const largest = Math.max(...scores);
  const massOf = (ids: readonly number[]) => ids.reduce((sum, id) => sum + Math.exp(scores[id] - largest), 0);
  let ids = scores.map((_, id) => id);
  if (topK > 0) ids = keepBest(ids, (id) => largest - scores[id], () => 1, topK);
  if (topP < 1) ids = keepBest(ids, (id) => largest - scores[id], (id) => massOf([id]), Math.max(topP, 1e-12) * massOf(ids));
  if (minP > 0) ids = ids.filter((id) => massOf([id]) >= minP);
  if (typicalP < 1) {
    const mass = massOf(ids);
    const mean = ids.reduce((sum, id) => sum + (massOf([id]) * (largest - scores[id])) / mass, 0);
    ids = keepBest(ids, (id) => Math.fround(Math.abs(largest - scores[id] - mean)), (id) => massOf([id]), typicalP * mass);
  }
  return ids;
}

/** Those before which the strictly better ones weigh less than the limit. */
function keepBest(ids: readonly number[], badness: (id: number) => number, weight: (id: number) => number, limit: number): number[] {
  const sorted = [...ids].sort((a, b) => badness(a) - badness(b));
  const kept: number[] = [];
  let better = 0; // than the present group of equals
  let group = 0;
  sorted.forEach((id, i) => {
    if (i > 0 && badness(id) !== badness(sorted[i - 1])) {
      better += group;
      group = 0;
    }
    group += weight(id);
    if (better < limit) kept.push(id);
  });
  return kept.sort((a, b) => a - b);
}

/** The token where the probabilities, summed in the order of ids, pass the draw of this step and sequence. */
export function plainToken(scores: Float32Array, seed: number, step: number, row: number): number {
  const largest = Math.max(...scores);
  const masses = [...scores].map((x) => Math.exp(x - largest));
  const draw = philox4x32([step, row, 0, 0], [seed >>> 0, Math.floor(seed / 2 ** 32)])[0] / 2 ** 32;
  let left = draw * masses.reduce((a, b) => a + b);
  return masses.findIndex((mass) => (left -= mass) < 0);
}
