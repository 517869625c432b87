// Processors and warpers against those of transformers (tests/reference/sampling.py): the same scores, exactly the same tokens removed.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import type { SamplingOptions } from "../../src/sampling/options.ts";
import { Sampler } from "../../src/sampling/sampler.ts";
import { upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { readFloats } from "../kernels/values.ts";

interface Case {
  readonly vocabSize: number;
  readonly batch: number;
  readonly scale: number;
  readonly seed: number;
  /** As SamplingOptions; a bias of null is -Infinity, which JSON lacks. */
  readonly options: Omit<SamplingOptions, "logitBias"> & { readonly logitBias?: Readonly<Record<string, number | null>> };
  readonly prompt: readonly (readonly number[])[];
  readonly generated: readonly (readonly number[])[];
  readonly kept: string;
  readonly scores: string;
}

const cases = Object.entries<Case>(JSON.parse(readFileSync(new URL("../reference/golden/sampling/cases.json", import.meta.url), "utf8")));
const gpu = await testGpu();
afterAll(() => gpu.destroy());

/** MurmurHash3's finalizer, as in the script. */
function uniform(seed: number, i: number): number {
  let x = (Math.imul(i, 0x9e3779b9) + seed) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}

function logitsOf({ seed, batch, vocabSize, scale }: Case): Float32Array<ArrayBuffer> {
  const sum = (i: number) => uniform(seed, 4 * i) + uniform(seed, 4 * i + 1) + uniform(seed, 4 * i + 2) + uniform(seed, 4 * i + 3) - 2;
  return Float32Array.from({ length: batch * vocabSize }, (_, i) => (scale ? scale * sum(i) : Math.floor(2 * sum(i))));
}

/** A mask that leaves one token to each sequence. */
function only(ids: readonly number[], vocabSize: number): Uint32Array<ArrayBuffer> {
  const words = Math.ceil(vocabSize / 32);
  const mask = new Uint32Array(ids.length * words);
  ids.forEach((id, row) => (mask[row * words + (id >> 5)] = 1 << (id & 31)));
  return mask;
}

describe("scores equal those of transformers", () => {
  it.each(cases)("%s", async (_, golden) => {
    const { vocabSize, batch, prompt, generated } = golden;
    const logitBias = Object.fromEntries(Object.entries(golden.options.logitBias ?? {}).map(([id, value]) => [id, value ?? -Infinity]));
    const sampler = new Sampler(gpu, { vocabSize, batch, ...golden.options, logitBias });
    using logits = upload(gpu, logitsOf(golden), [batch, vocabSize], "f32");
    sampler.begin(prompt.map((ids) => Int32Array.from(ids)));
    const steps = generated[0].map((_, step) => generated.map((ids) => ids[step]));
    for (const ids of steps) {
      using mask = upload(gpu, only(ids, vocabSize), [batch, Math.ceil(vocabSize / 32)], "u32");
      sampler.next(logits, mask).dispose();
    }
    const chosen = await sampler.log.read(0, steps.length);
    expect(chosen.map((step) => step.map(({ token }) => token))).toEqual(steps);

    using processed = sampler.process(logits);
    const scores = await readFloats(processed);
    const bits = Buffer.from(golden.kept, "base64");
    const wrong = [...scores.keys()].filter((i) => (scores[i] === -Infinity) === ((bits[i >> 3] >> (i & 7)) % 2 === 1));
    expect(wrong).toEqual([]);
    const values = Buffer.from(golden.scores, "base64");
    const got = scores.filter((score) => score !== -Infinity);
    for (let i = 0; 4 * i < values.length; i++) expect(Math.abs(got[i] - values.readFloatLE(4 * i))).toBeLessThanOrEqual(1e-5);
    sampler.dispose();
  });
});
