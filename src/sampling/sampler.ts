// From logits to the next tokens, all on the GPU: processors, warpers, the draw and its log, in the order in which transformers applies them.
import type { Gpu } from "../gpu/gpu.ts";
import { contiguous } from "../kernels/copy.ts";
import {
  emptyHistogram, emptyRows, firstRows, LARGEST_VOCABULARY, logProbs, noRepeatNgram, samplingCutoff, samplingDraw, samplingKept, samplingMasses, samplingScores, type SamplingState, type Scores,
} from "../kernels/sampling.ts";
import { splitSeed } from "../random/seed.ts";
import { expectShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor, upload, writeBytes } from "../tensor/tensor.ts";
import { checkSampling, type Sampling, type SamplingOptions } from "./options.ts";
import { lasting, TokenLog } from "./token-log.ts";

export interface SamplerOptions extends SamplingOptions {
  readonly vocabSize: number;
  /** Sequences that are continued side by side. */
  readonly batch: number;
}

/** No token lies this far below the likeliest. */
const ANY_DROP = 3.4e38;
const IN_PROMPT = 0x80000000;

/**
 * Chooses tokens: logit bias, repetition, presence and frequency penalties, n-grams, mask; with doSample also temperature, top-k, top-p, min-p,
 * typical sampling. Tokens of equal score are kept or removed together. A token whose probability is below 2^-40 of the likeliest one's is never drawn.
 *
 * The sequence of random numbers depends on seed, step and sequence only; the token is the one, in the order of ids, where the summed probability passes it.
 */
export class Sampler {
  readonly options: Sampling;
  readonly log: TokenLog;
  readonly #state: SamplingState;
  readonly #bias: Tensor | null; // f32 [V]
  readonly #mostDrop: number;
  readonly #words: number; // of a mask
  #prompt: Tensor | null = null; // i32 [B, room], for n-grams
  #promptLength = 0; // of the longest

  /** Throws RangeError that names an option. */
  constructor(readonly gpu: Gpu, { vocabSize, batch, ...options }: SamplerOptions) {
    if (!(Number.isSafeInteger(vocabSize) && vocabSize > 0 && vocabSize <= LARGEST_VOCABULARY)) throw new RangeError(`vocabSize: a whole number from 1 to ${LARGEST_VOCABULARY} expected, got ${vocabSize}`);
    if (!(Number.isSafeInteger(batch) && batch > 0)) throw new RangeError(`batch: a positive whole number expected, got ${batch}`);
    this.options = checkSampling(options, vocabSize);
    const { logitBias, repetitionPenalty, presencePenalty, frequencyPenalty, noRepeatNgramSize, minP, topLogProbs } = this.options;
    const penalized = repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
    const table = () => lasting(empty(gpu, [batch, vocabSize], "u32", { label: "sampler" }));
    this.#state = {
      gpu,
      batch,
      vocabSize,
      rows: lasting(emptyRows(gpu, batch)),
      histogram: lasting(emptyHistogram(gpu, batch)),
      counts: penalized ? table() : null,
      bans: noRepeatNgramSize > 0 ? table() : null,
    };
    this.log = new TokenLog(gpu, batch, topLogProbs);
    this.#bias = logitBias.size ? lasting(upload(gpu, dense(logitBias, vocabSize), [vocabSize], "f32")) : null;
    this.#mostDrop = minP > 0 ? -Math.log(minP) : ANY_DROP;
    this.#words = Math.ceil(vocabSize / 32);
    this.begin(Array.from({ length: batch }, () => new Int32Array()));
  }

  /** Starts anew after these tokens, one list a sequence: penalties, log and random numbers. Throws RangeError. */
  begin(prompt: readonly Int32Array[]): void {
    const { batch, vocabSize, rows, histogram, counts, bans } = this.#state;
    if (prompt.length !== batch) throw new RangeError(`Sampler.begin: ${batch} prompts expected, got ${prompt.length}`);
    for (const ids of prompt) for (const id of ids) if (id < 0) throw new RangeError(`Sampler.begin: token ids from 0 expected, got ${id}`);
    this.log.clear();
    fill(rows, firstRows(prompt.map((ids) => ids.length)));
    fill(histogram, new Uint32Array(histogram.size));
    if (counts) fill(counts, promptCounts(prompt, vocabSize));
    if (!bans) return;
    fill(bans, new Uint32Array(bans.size));
    this.#prompt?.dispose();
    this.#promptLength = Math.max(...prompt.map((ids) => ids.length));
    this.#prompt = lasting(upload(this.gpu, padded(prompt, Math.max(1, this.#promptLength)), [batch, Math.max(1, this.#promptLength)], "i32"));
  }

  /**
   * The next token of each sequence: logits f32 [B, V] → i32 [B, 1], also in `log`. mask u32 [B, ⌈V/32⌉], or [1, ⌈V/32⌉] for all: bit id % 32 of
   * word ⌊id/32⌋ allows a token. Synchronous, records commands only. Throws ShapeError.
   */
  next(logits: Tensor, mask?: Tensor): Tensor {
    using scope = this.gpu.scope();
    const { doSample, typicalP, seed, topLogProbs } = this.options;
    const scores = this.#scores(logits, mask);
    const masses = doSample ? this.#warp(scores) : null;
    this.log.extend();
    const draw = { masses, typical: doSample && typicalP < 1, mostDrop: this.#mostDrop, seed: splitSeed(seed), records: this.log.records };
    const ids = samplingDraw(this.#state, scores, draw);
    if (topLogProbs !== null) logProbs(this.#state, contiguous(logits), this.log.records, topLogProbs);
    return scope.keep(ids);
  }

  /** The scores that `next` would choose from, -Infinity for what is forbidden or removed: f32 [B, V]. Chooses nothing. */
  process(logits: Tensor, mask?: Tensor): Tensor {
    using scope = this.gpu.scope();
    const { doSample, typicalP } = this.options;
    const scores = this.#scores(logits, mask);
    if (doSample) this.#warp(scores);
    return scope.keep(samplingKept(this.#state, scores, { warped: doSample, typical: doSample && typicalP < 1, mostDrop: this.#mostDrop }));
  }

  dispose(): void {
    const { rows, histogram, counts, bans } = this.#state;
    for (const tensor of [rows, histogram, counts, bans, this.#bias, this.#prompt]) tensor?.dispose();
    this.log.dispose();
  }

  /** Everything that concerns single tokens. */
  #scores(logits: Tensor, mask?: Tensor): Scores {
    const { batch, vocabSize } = this.#state;
    expectShape("Sampler: logits", logits, [batch, vocabSize]);
    if (logits.dtype !== "f32") throw new ShapeError(`Sampler: logits expected f32, got ${logits.dtype}`);
    if (mask) expectShape("Sampler: mask", mask, [mask.shape[0] === 1 ? 1 : batch, this.#words]);
    if (mask && mask.dtype !== "u32") throw new ShapeError(`Sampler: mask expected u32, got ${mask.dtype}`);
    const { repetitionPenalty, presencePenalty, frequencyPenalty, temperature, noRepeatNgramSize } = this.options;
    if (this.#prompt) noRepeatNgram(this.#state, this.#prompt, this.log.records, noRepeatNgramSize, this.#promptLength + this.log.length);
    const penalties = { repetition: repetitionPenalty, presence: presencePenalty, frequency: frequencyPenalty, temperature };
    return samplingScores(this.#state, contiguous(logits), this.#bias, mask ? contiguous(mask) : null, penalties);
  }

  /** Which tokens stay, and the masses of their chunks. */
  #warp(scores: Scores): Tensor {
    const { topK, topP, typicalP } = this.options;
    if (topK > 0 || topP < 1) samplingCutoff(this.#state, scores, { most: topK || null, share: topP < 1 ? topP : null }, ANY_DROP);
    const masses = samplingMasses(this.#state, scores, { drops: typicalP < 1, typical: false, mostDrop: this.#mostDrop });
    if (typicalP === 1) return masses;
    samplingCutoff(this.#state, scores, { most: null, share: typicalP }, this.#mostDrop, masses);
    return samplingMasses(this.#state, scores, { drops: false, typical: true, mostDrop: this.#mostDrop });
  }
}

function fill(tensor: Tensor, words: Uint32Array<ArrayBuffer>): void {
  writeBytes(tensor, 0, new Uint8Array(words.buffer));
}

function dense(bias: ReadonlyMap<number, number>, vocabSize: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(vocabSize);
  for (const [id, value] of bias) values[id] = value;
  return values;
}

/** Ids past the vocabulary, which the model takes but cannot say, are left out. */
function promptCounts(prompt: readonly Int32Array[], vocabSize: number): Uint32Array<ArrayBuffer> {
  const counts = new Uint32Array(prompt.length * vocabSize);
  prompt.forEach((ids, row) => {
    for (const id of ids) if (id < vocabSize) counts[row * vocabSize + id] = IN_PROMPT;
  });
  return counts;
}

function padded(prompt: readonly Int32Array[], room: number): Int32Array<ArrayBuffer> {
  const ids = new Int32Array(prompt.length * room);
  prompt.forEach((row, i) => ids.set(row, i * room));
  return ids;
}
