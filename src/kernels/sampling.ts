// From logits to tokens without reading them back: scores, the cutoffs of top-k, top-p and typical sampling by radix search, and the draw.
import grid from "/shaders/include/grid.wgsl?raw";
import nextBest from "/shaders/include/next-best.wgsl?raw";
import philox from "/shaders/include/philox.wgsl?raw";
import binsSource from "/shaders/include/sampling-bins.wgsl?raw";
import keptInclude from "/shaders/include/sampling-kept.wgsl?raw";
import peakInclude from "/shaders/include/sampling-peak.wgsl?raw";
import sampling from "/shaders/include/sampling.wgsl?raw";
import wide from "/shaders/include/wide.wgsl?raw";
import logProbsChunksSource from "/shaders/log-probs-chunks.wgsl?raw";
import logProbsSource from "/shaders/log-probs.wgsl?raw";
import ngramSource from "/shaders/no-repeat-ngram.wgsl?raw";
import candidatesSource from "/shaders/sampling-candidates.wgsl?raw";
import cutoffSource from "/shaders/sampling-cutoff.wgsl?raw";
import drawSource from "/shaders/sampling-draw.wgsl?raw";
import histogramSource from "/shaders/sampling-histogram.wgsl?raw";
import keptSource from "/shaders/sampling-kept.wgsl?raw";
import massSource from "/shaders/sampling-mass.wgsl?raw";
import scoresSource from "/shaders/sampling-scores.wgsl?raw";
import type { Gpu } from "../gpu/gpu.ts";
import { empty, Tensor } from "../tensor/tensor.ts";
import { defineKernel } from "./kernel.ts";

const scoresKernel = defineKernel({ name: "sampling-scores", source: scoresSource, includes: [grid, sampling] });
const histogramKernel = defineKernel({ name: "sampling-histogram", source: histogramSource, includes: [grid, sampling, binsSource, peakInclude, wide] });
const candidatesKernel = defineKernel({ name: "sampling-candidates", source: candidatesSource, includes: [grid, sampling, binsSource, wide] });
const cutoffKernel = defineKernel({ name: "sampling-cutoff", source: cutoffSource, includes: [sampling, binsSource, wide] });
const massKernel = defineKernel({ name: "sampling-mass", source: massSource, includes: [grid, sampling, keptInclude, peakInclude, wide] });
const drawKernel = defineKernel({ name: "sampling-draw", source: drawSource, includes: [sampling, binsSource, keptInclude, peakInclude, philox, wide] });
const keptKernel = defineKernel({ name: "sampling-kept", source: keptSource, includes: [grid, sampling, keptInclude] });
const logProbsChunksKernel = defineKernel({ name: "log-probs-chunks", source: logProbsChunksSource, includes: [grid, sampling, nextBest, wide] });
const logProbsKernel = defineKernel({ name: "log-probs", source: logProbsSource, includes: [sampling, nextBest, wide] });
const ngramKernel = defineKernel({ name: "no-repeat-ngram", source: ngramSource, includes: [sampling] });

/** As in include/sampling.wgsl. */
const LANES = 256;
const CHUNK = 2048;
const HISTOGRAM = 3 * 1024 + 1;
const ROW = 12;
const LOW = 3;
const PROMPT = 1;
/** More tokens have more chunks than the shaders have bins, and sums that pass 64 bits. */
export const LARGEST_VOCABULARY = 1024 * CHUNK;

/** What a chain of sampling kernels knows of its sequences. */
export interface SamplingState {
  readonly gpu: Gpu;
  readonly batch: number;
  readonly vocabSize: number;
  /** u32 [batch, 12]; see include/sampling.wgsl. */
  readonly rows: Tensor;
  /** u32 [batch, 3073], zero between steps. */
  readonly histogram: Tensor;
  /** u32 [batch, vocab]: how often each token was generated; bit 31: it is in the prompt. Null where no penalty needs it. */
  readonly counts: Tensor | null;
  /** u32 [batch, vocab]: one more than the step in which an n-gram forbade the token. Null without noRepeatNgramSize. */
  readonly bans: Tensor | null;
}

/** The first words of `rows`, for prompts of these lengths. */
export function firstRows(promptLengths: readonly number[]): Uint32Array<ArrayBuffer> {
  const rows = new Uint32Array(ROW * promptLengths.length);
  promptLengths.forEach((length, row) => {
    rows[ROW * row + PROMPT] = length;
    rows[ROW * row + LOW] = 1;
  });
  return rows;
}

/** A tensor for `rows` or `histogram`, its values unspecified. */
export function emptyRows(gpu: Gpu, batch: number): Tensor {
  return empty(gpu, [batch, ROW], "u32", { label: "sampler" });
}

export function emptyHistogram(gpu: Gpu, batch: number): Tensor {
  return empty(gpu, [batch, HISTOGRAM], "u32", { label: "sampler" });
}

/** Scores of one step and the largest of each chunk. */
export interface Scores {
  readonly orders: Tensor; // u32 [batch, vocab]
  readonly peaks: Tensor; // u32 [batch, chunks, 3]
}

export interface Penalties {
  readonly repetition: number;
  readonly presence: number;
  readonly frequency: number;
  readonly temperature: number;
}

/** logits f32 [batch, vocab], bias f32 [vocab], allowed u32 [1 or batch, ceil(vocab / 32)]. Shapes are the caller's to check. */
export function samplingScores(state: SamplingState, logits: Tensor, bias: Tensor | null, allowed: Tensor | null, { repetition, presence, frequency, temperature }: Penalties): Scores {
  const { gpu, batch, vocabSize, rows, counts, bans } = state;
  const orders = empty(gpu, [batch, vocabSize], "u32");
  const peaks = empty(gpu, [batch, chunksOf(state), 3], "u32");
  const operands = { logits, bias: bias ?? logits, allowed: allowed ?? rows, counts: counts ?? rows, bans: bans ?? rows, rows, scores: orders, peaks };
  const constants = { BIAS: Number(bias !== null), ALLOWED: Number(allowed !== null), PENALTIES: Number(counts !== null), BANS: Number(bans !== null) };
  const params = { ...extents(state), mask_rows: allowed?.shape[0] ?? 1, repetition, presence, frequency, temperature };
  scoresKernel.run(operands, params, [batch * chunksOf(state)], { constants });
  return { orders, peaks };
}

/** Which tokens a cutoff keeps: the `most` best, and the best that hold `share` of the mass; null: all. */
export interface Limits {
  readonly most: number | null;
  readonly share: number | null;
}

/**
 * Finds the cutoff of top-k and then top-p, or of typical sampling among what top-k, top-p and `mostDrop` (min-p) keep, and leaves it in `rows`.
 * Tokens of equal score are kept or removed together. `masses` as from samplingMasses, for typical sampling.
 */
export function samplingCutoff(state: SamplingState, { orders, peaks }: Scores, { most, share }: Limits, mostDrop: number, masses: Tensor | null = null): void {
  const { gpu, batch, vocabSize, rows, histogram } = state;
  using _scope = gpu.scope();
  const candidates = empty(gpu, [batch, vocabSize], "u32");
  const constants = { TYPICAL: Number(masses !== null), SHARE: Number(share !== null) };
  const limits = { most: most ?? 0xffffffff, share: Math.floor((share ?? 0) * 2 ** 32) };
  const workgroups: [number] = [batch * chunksOf(state)];
  histogramKernel.run({ scores: orders, peaks, masses: masses ?? peaks, rows, histogram }, { ...extents(state), most_drop: mostDrop }, workgroups, { constants });
  candidatesKernel.run({ scores: orders, rows, histogram, candidates }, { ...extents(state), ...limits, most_drop: mostDrop }, workgroups, { constants });
  cutoffKernel.run({ candidates, rows, histogram }, { vocab: vocabSize, ...limits }, [batch, 1, 1], { constants: { ...constants, MOST: Number(most !== null) } });
}

/** Σ mass and, with `drops`, Σ mass · drop of the kept tokens of each chunk, 64 bits each: u32 [batch, chunks, 4]. `typical`: its cutoff is known. */
export function samplingMasses(state: SamplingState, { orders, peaks }: Scores, { drops, typical, mostDrop }: { drops: boolean; typical: boolean; mostDrop: number }): Tensor {
  const masses = empty(state.gpu, [state.batch, chunksOf(state), 4], "u32");
  massKernel.run({ scores: orders, peaks, rows: state.rows, masses }, { ...extents(state), most_drop: mostDrop }, [state.batch * chunksOf(state)], { constants: { TYPICAL: Number(typical), DROPS: Number(drops) } });
  return masses;
}

export interface Draw {
  /** As from samplingMasses; null takes the likeliest token. */
  readonly masses: Tensor | null;
  readonly typical: boolean;
  readonly mostDrop: number;
  readonly seed: { readonly low: number; readonly high: number };
  /** u32 [steps, batch, words]: where the token is noted. */
  readonly records: Tensor;
}

/** Chooses a token of each sequence, notes it and counts it: i32 [batch, 1]. */
export function samplingDraw(state: SamplingState, { orders, peaks }: Scores, { masses, typical, mostDrop, seed, records }: Draw): Tensor {
  const { gpu, batch, vocabSize, rows, counts, histogram } = state;
  const out = empty(gpu, [batch, 1], "i32");
  const operands = { scores: orders, peaks, masses: masses ?? peaks, rows, counts: counts ?? histogram, records, out };
  const constants = { DRAWS: Number(masses !== null), TYPICAL: Number(typical), COUNTS: Number(counts !== null) };
  const params = { vocab: vocabSize, chunks: chunksOf(state), words: records.shape[2], seed_low: seed.low, seed_high: seed.high, most_drop: mostDrop };
  drawKernel.run(operands, params, [batch, 1, 1], { constants });
  return out;
}

/** After the draw: notes the log-probabilities of the chosen token and of the `n` likeliest under logits f32 [batch, vocab], which hold no penalties. */
export function logProbs(state: SamplingState, logits: Tensor, records: Tensor, n: number): void {
  const { gpu, batch, vocabSize, rows } = state;
  using _scope = gpu.scope();
  const tops = empty(gpu, [batch, chunksOf(state), 3 + 2 * n], "u32");
  logProbsChunksKernel.run({ logits, tops }, { ...extents(state), n }, [batch * chunksOf(state)]);
  logProbsKernel.run({ logits, tops, rows, records }, { vocab: vocabSize, chunks: chunksOf(state), n }, [batch, 1, 1]);
}

/** Scores with -Infinity for what is forbidden and, if `warped`, for what the cutoffs removed: f32 [batch, vocab]. */
export function samplingKept(state: SamplingState, { orders }: Scores, options: { warped: boolean; typical: boolean; mostDrop: number }): Tensor {
  const { gpu, batch, vocabSize, rows } = state;
  using scope = gpu.scope();
  const out = empty(gpu, [batch, vocabSize], "u32");
  const constants = { WARPED: Number(options.warped), TYPICAL: Number(options.typical) };
  keptKernel.run({ scores: orders, rows, out }, { batch, vocab: vocabSize, most_drop: options.mostDrop }, [Math.ceil(out.size / LANES)], { constants });
  return scope.keep(new Tensor(gpu, out.storage.retain(), out.shape, "f32"));
}

/**
 * Forbids, for the coming step, tokens that would repeat an n-gram of the `length` ≥ tokens so far. prompt i32 [batch, room], records as in `Draw`.
 */
export function noRepeatNgram(state: SamplingState, prompt: Tensor, records: Tensor, n: number, length: number): void {
  const { batch, vocabSize, rows, bans } = state;
  if (!bans || length < n) return;
  ngramKernel.run({ prompt, records, rows, bans }, { vocab: vocabSize, room: prompt.shape[1], words: records.shape[2], n }, [Math.ceil((length - n + 1) / LANES), batch, 1]);
}

function chunksOf({ vocabSize }: SamplingState): number {
  return Math.ceil(vocabSize / CHUNK);
}

function extents(state: SamplingState): { batch: number; vocab: number; chunks: number } {
  return { batch: state.batch, vocab: state.vocabSize, chunks: chunksOf(state) };
}
