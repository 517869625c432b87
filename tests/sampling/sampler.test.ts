// The sampler against a plain one in whole numbers, and its draws against their probabilities.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { Sampler } from "../../src/sampling/sampler.ts";
import { empty, read, type Tensor, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { lcg, readFloats } from "../kernels/values.ts";
import { plainKept, plainToken } from "./plain.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());

function normals(seed: number, count: number, scale: number): Float32Array<ArrayBuffer> {
  const next = lcg(seed);
  return Float32Array.from({ length: count }, () => scale * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
}

async function tokensOf(sampler: Sampler, logits: Tensor, steps: number): Promise<number[]> {
  for (let i = 0; i < steps; i++) sampler.next(logits).dispose();
  return (await sampler.log.read(0, steps)).flatMap((rows) => rows.map(({ token }) => token));
}

describe("draws", () => {
  it("equal those of plain code", async () => {
    const cases = fc.record({
      vocabSize: fc.constantFrom(1, 33, 100, 5000),
      batch: fc.integer({ min: 1, max: 3 }),
      seed: fc.nat(),
      temperature: fc.constantFrom(0.5, 1, 2),
      topK: fc.constantFrom(0, 1, 5, 40),
      topP: fc.constantFrom(1, 0.9, 0.4, 0),
      minP: fc.constantFrom(0, 0.05),
      typicalP: fc.constantFrom(1, 0.7),
      ties: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ vocabSize, batch, ties, ...options }) => {
        const values = normals(options.seed, batch * vocabSize, 3).map((x) => (ties ? Math.round(x) : x));
        const sampler = new Sampler(gpu, { vocabSize, batch, doSample: true, ...options });
        using logits = upload(gpu, values, [batch, vocabSize], "f32");
        using kept = sampler.process(logits);
        const scores = Float32Array.from(await readFloats(kept));
        for (let row = 0; row < batch; row++) {
          const expected = plainKept(values.subarray(row * vocabSize, (row + 1) * vocabSize), options);
          const got = scores.subarray(row * vocabSize, (row + 1) * vocabSize);
          expect([...got].flatMap((x, id) => (x === -Infinity ? [] : [id]))).toEqual(expected);
        }
        const tokens = await tokensOf(sampler, logits, 4);
        expect(tokens).toEqual(tokens.map((_, i) => plainToken(scores.subarray((i % batch) * vocabSize, ((i % batch) + 1) * vocabSize), options.seed, Math.floor(i / batch), i % batch)));
        sampler.dispose();
      }),
      { numRuns: 15 },
    );
  });
});

describe("draws of many tokens", () => {
  it("come as often as their probabilities say", async () => {
    const [vocabSize, batch, steps] = [12, 500, 40];
    const values = normals(7, vocabSize, 1);
    const sampler = new Sampler(gpu, { vocabSize, batch, doSample: true, seed: 2026 });
    const rows = new Float32Array(batch * vocabSize).map((_, i) => values[i % vocabSize]);
    using logits = upload(gpu, rows, [batch, vocabSize], "f32");
    const tokens = await tokensOf(sampler, logits, steps);
    const masses = values.map((x) => Math.exp(x));
    const sum = masses.reduce((a, b) => a + b);
    const chiSquare = masses.reduce((total, mass, id) => {
      const expected = (tokens.length * mass) / sum;
      return total + (tokens.filter((token) => token === id).length - expected) ** 2 / expected;
    }, 0);
    expect(tokens).toHaveLength(20_000);
    expect(chiSquare).toBeLessThan(31.3); // passed once in a thousand for 11 degrees of freedom
    sampler.dispose();
  });
});

describe("greedy search", () => {
  it("takes the likeliest token, of equals the one of the lowest id", async () => {
    const vocabSize = 5000;
    const values = normals(3, 2 * vocabSize, 1);
    values[4100] = values[2100] = 9; // in two chunks
    values[vocabSize + 17] = 9;
    const sampler = new Sampler(gpu, { vocabSize, batch: 2, temperature: 0 });
    using logits = upload(gpu, values, [2, vocabSize], "f32");
    using ids = sampler.next(logits);
    expect([...(await read(ids))]).toEqual([2100, 17]);
    sampler.dispose();
  });

  it("obeys a mask, one for all sequences or one for each", async () => {
    const sampler = new Sampler(gpu, { vocabSize: 40, batch: 2 });
    using logits = upload(gpu, Float32Array.from({ length: 80 }, (_, i) => i % 40), [2, 40], "f32");
    using shared = upload(gpu, Uint32Array.of(1 << 5, 1 << 3), [1, 2], "u32");
    using own = upload(gpu, Uint32Array.of(1 << 31, 0, 0b110, 0), [2, 2], "u32");
    sampler.next(logits, shared).dispose();
    sampler.next(logits, own).dispose();
    const tokens = (await sampler.log.read(0, 2)).map((step) => step.map(({ token }) => token));
    expect(tokens).toEqual([[35, 35], [31, 2]]);
    sampler.dispose();
  });
});

describe("what goes wrong", () => {
  it("is told beside the token", async () => {
    const rows = [[1, NaN, 2], [1, Infinity, 2], [-Infinity, -Infinity, -Infinity], [-Infinity, 3, 2]].flat();
    for (const doSample of [false, true]) {
      const sampler = new Sampler(gpu, { vocabSize: 3, batch: 4, doSample, topK: 2, topP: 0.5, seed: 1 });
      using logits = upload(gpu, Float32Array.from(rows), [4, 3], "f32");
      sampler.next(logits).dispose();
      const [step] = await sampler.log.read(0, 1);
      expect(step.map(({ fault }) => fault)).toEqual(["not-a-number", "not-a-number", "nothing-allowed", null]);
      expect(step[3].token).toBe(1);
      sampler.dispose();
    }
  });

  it("names the operand that does not fit", () => {
    const sampler = new Sampler(gpu.planner(), { vocabSize: 40, batch: 2 });
    const { gpu: planner } = sampler;
    expect(() => sampler.next(empty(planner, [2, 41], "f32"))).toThrow("Sampler: logits expected [2, 40], got [2, 41]");
    expect(() => sampler.next(empty(planner, [2, 40], "f16"))).toThrow("Sampler: logits expected f32, got f16");
    expect(() => sampler.next(empty(planner, [2, 40], "f32"), empty(planner, [2, 40], "u32"))).toThrow("Sampler: mask expected [2, 2], got [2, 40]");
    expect(() => sampler.begin([new Int32Array(1)])).toThrow("Sampler.begin: 2 prompts expected, got 1");
    expect(() => new Sampler(planner, { vocabSize: 3_000_000, batch: 1 })).toThrow("vocabSize: a whole number from 1 to 2097152 expected, got 3000000");
  });
});

describe("log-probabilities", () => {
  it("are those of the model's own logits", async () => {
    const vocabSize = 5000;
    const values = normals(11, 2 * vocabSize, 3);
    values[vocabSize + 40] = values[vocabSize + 4900] = 20; // a tie, in two chunks
    const sampler = new Sampler(gpu, { vocabSize, batch: 2, doSample: true, temperature: 1.5, topK: 50, seed: 3, topLogProbs: 20 });
    using logits = upload(gpu, values, [2, vocabSize], "f32");
    sampler.next(logits).dispose();
    const [step] = await sampler.log.read(0, 1);
    step.forEach(({ token, logProb, top }, row) => {
      const own = Float64Array.from(values.subarray(row * vocabSize, (row + 1) * vocabSize));
      const logSum = Math.log(own.reduce((sum, x) => sum + Math.exp(x), 0));
      const ranked = [...own.keys()].sort((a, b) => own[b] - own[a] || a - b).slice(0, 20);
      expect(logProb).toBeCloseTo(own[token] - logSum, 4);
      expect(top.map(({ token: id }) => id)).toEqual(ranked);
      top.forEach((one) => expect(one.logProb).toBeCloseTo(own[one.token] - logSum, 4));
    });
    sampler.dispose();
  });
});

describe("the log", () => {
  it("grows, is read behind, and begins anew", async () => {
    const sampler = new Sampler(gpu, { vocabSize: 700, batch: 1, doSample: true, seed: 9n });
    using logits = upload(gpu, new Float32Array(700), [1, 700], "f32");
    const behind = [];
    for (let i = 0; i < 600; i++) {
      sampler.next(logits).dispose();
      if (i % 100 === 0) behind.push(sampler.log.read(i, i + 1));
    }
    const all = await sampler.log.read(0, 600);
    expect(await Promise.all(behind)).toEqual([0, 100, 200, 300, 400, 500].map((i) => [all[i]]));
    await expect(sampler.log.read(599, 601)).rejects.toThrow("TokenLog.read: steps 599 … 601 of 600");
    sampler.begin([Int32Array.of(1, 2)]);
    expect(sampler.log.length).toBe(0);
    expect(await tokensOf(sampler, logits, 3)).toEqual(all.slice(0, 3).map(([{ token }]) => token));
    sampler.dispose();
  });
});
