// Attention against softmax(q kᵀ) v written out.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { Gpu } from "../../src/gpu/gpu.ts";
import { attention } from "../../src/kernels/attention.ts";
import { decoderAttention } from "../../src/kernels/attention-few.ts";
import { LAUNCH } from "../../src/kernels/bands.ts";
import { upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, lcg, random } from "./values.ts";

const usual = await testGpu();
const gpu = usual;
afterAll(() => usual.destroy());
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

interface Case {
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  size: number;
  causal: boolean;
  /** Heads of k and v, if fewer. */
  keyHeads?: number;
  start?: number;
  window?: number;
  softCap?: number;
  /** First keys that may be seen, one for each row of the batch. */
  keyStart?: readonly number[];
  /** A bias of the logits: of every head, with an axis of the batch that is 1, or in full. */
  bias?: "heads" | "shared" | "full";
  /** Share of keys that the mask hides; null: no mask. At least one stays. */
  hidden: number | null;
  dtype: Float;
  scale: number | undefined;
  seed: number;
  magnitude: number;
}

const plain: Case = { batch: 1, queries: 9, keys: 11, heads: 2, size: 8, causal: false, hidden: null, dtype: "f32", scale: undefined, seed: 5, magnitude: 1 };

/** As a decoder of text asks. */
const decoding: Case = { ...plain, batch: 2, heads: 6, keyHeads: 2, queries: 9, keys: 40, start: 31, causal: true, window: 12, softCap: 1.5, keyStart: [0, 33], magnitude: 2 };

async function check(c: Case, gpu = usual, attend = attention): Promise<void> {
  const { batch, queries, keys, heads, size } = c;
  const q = random(gpu, [batch, queries, heads, size], c.dtype, c.seed, c.magnitude);
  const keyHeads = c.keyHeads ?? heads;
  const k = random(gpu, [batch, keys, keyHeads, size], c.dtype, c.seed + 1, c.magnitude);
  const v = random(gpu, [batch, keys, keyHeads, size], c.dtype, c.seed + 2);
  const next = lcg(c.seed + 3);
  const visible = Int32Array.from({ length: batch * keys }, () => Number(next() >= (c.hidden ?? 0)));
  for (let b = 0; b < batch; b++) visible[b * keys + (c.causal ? 0 : Math.floor(next() * keys))] = 1;
  const bias = c.bias && random(gpu, [c.bias === "full" ? batch : 1, heads, queries, keys], c.dtype, c.seed + 4, 3);
  using keyMask = upload(gpu, visible, [batch, keys], "i32");
  using starts = upload(gpu, Int32Array.from({ length: batch }, (_, b) => c.keyStart?.[b] ?? 0), [batch], "i32");
  using out = attend(q.tensor, k.tensor, v.tensor, {
    scale: c.scale, causal: c.causal, start: c.start, window: c.window, softCap: c.softCap,
    keyMask: c.hidden === null ? undefined : keyMask, keyStart: c.keyStart && starts,
    bias: c.bias === "heads" ? bias?.tensor.reshape([heads, queries, keys]) : bias?.tensor,
  });
  for (const { tensor } of [q, k, v]) tensor.dispose();
  bias?.tensor.dispose();
  expect(out.shape).toEqual([batch, queries, heads, size]);
  const expected = reference(q.values, k.values, v.values, visible, c, bias?.values);
  await expectClose(out, expected);
}

function reference(q: Float64Array, k: Float64Array, v: Float64Array, visible: Int32Array, c: Case, bias?: Float64Array): Float64Array {
  const { batch, queries, keys, heads, size, keyHeads = heads, start = 0, window = Infinity, softCap } = c;
  const out = new Float64Array(q.length);
  const keyAt = (b: number, m: number, h: number) => ((b * keys + m) * keyHeads + Math.floor((h * keyHeads) / heads)) * size;
  for (let b = 0; b < batch; b++) {
    for (let n = 0; n < queries; n++) {
      for (let h = 0; h < heads; h++) {
        const own = ((b * queries + n) * heads + h) * size;
        const scores = Array.from({ length: keys }, (_, m) => {
          if (!visible[b * keys + m] || m < (c.keyStart?.[b] ?? 0)) return -Infinity;
          if (c.causal && (m > start + n || start + n - m >= window)) return -Infinity;
          let dot = 0;
          for (let i = 0; i < size; i++) dot += q[own + i] * k[keyAt(b, m, h) + i];
          const score = dot * (c.scale ?? 1 / Math.sqrt(size));
          const added = bias?.[((b * heads + h) * queries + n) * keys + m - (c.bias === "full" ? 0 : b * heads * queries * keys)] ?? 0;
          return (softCap === undefined ? score : softCap * Math.tanh(score / softCap)) + added;
        });
        const most = Math.max(...scores);
        if (most === -Infinity) continue; // a query that sees nothing
        const weights = scores.map((score) => Math.exp(score - most));
        const total = weights.reduce((x, y) => x + y);
        weights.forEach((weight, m) => {
          for (let i = 0; i < size; i++) out[own + i] += (weight / total) * v[keyAt(b, m, h) + i];
        });
      }
    }
  }
  return out;
}

describe("attention", () => {
  it("equals the reference for all lengths, masks and dtypes", async () => {
    const cases = fc.record<Case>({
      batch: fc.integer({ min: 1, max: 2 }),
      queries: fc.integer({ min: 1, max: 90 }),
      keys: fc.integer({ min: 1, max: 90 }),
      heads: fc.integer({ min: 1, max: 3 }),
      size: fc.constantFrom(12),
      causal: fc.boolean(),
      hidden: fc.constantFrom(0.5, 1),
      dtype: fc.constantFrom(...dtypes),
      scale: fc.constantFrom(undefined, 1),
      seed: fc.nat(),
      magnitude: fc.constant(1),
    });
    await fc.assert(fc.asyncProperty(cases, (c) => check(c)), { numRuns: 30 });
  });

  it.each([
    ["hardware", { software: false, subgroupSize: 0 }, false],
    ["software without subgroups", { software: true, subgroupSize: 0 }, false],
    ["software with small subgroups", { software: true, subgroupSize: 4 }, true],
  ])("equals it in the variant for %s", async (_, traits, subgroups) => {
    const { device, limits, features } = await testGpu();
    const like = new Gpu(device, limits, { ...features, subgroups: subgroups && features.subgroups }, "like", traits);
    await check({ ...plain, queries: 70, keys: 45, size: 16 }, like);
    await check({ ...plain, queries: 70, keys: 70, size: 16, causal: true, hidden: 0.5 }, like);
    await check({ ...decoding, queries: 67, keys: 140, start: 73 }, like);
    await check({ ...plain, queries: 67, keys: 45, batch: 2, hidden: 0.5, bias: "full" }, like);
    like.destroy();
  });

  it("equals it for few queries on hardware, where workgroups share the keys", async () => {
    const { device, limits, features } = await testGpu();
    const like = new Gpu(device, limits, features, "like", { software: false, subgroupSize: 0 });
    await check({ ...decoding, queries: 1, keys: 40, start: 39 }, like, decoderAttention);
    await check({ ...decoding, queries: 3, keys: 400, start: 397, window: undefined, keyStart: [0, 210], hidden: 0.5 }, like, decoderAttention);
    like.destroy();
  }, 900_000); // a software adapter compiles loops with barriers slowly

  it.each([5, 8, 16, 24, 32, 40, 64, 80, 128, 160])("equals it for heads of %i", (size) => check({ ...plain, size, queries: 17, keys: 37 }));

  it("lets query heads share keys, which may be older than the queries", () => check({ ...decoding, window: undefined, softCap: undefined, keyStart: undefined }));

  it.each([1, 7, 70])("sees a window of %i keys", (window) => check({ ...decoding, queries: 70, keys: 70, start: 0, window }));

  it("equals the reference for one query with all of the options", async () => {
    for (const attend of [attention, decoderAttention]) await check({ ...decoding, queries: 1, keys: 40, start: 39 }, usual, attend);
  });

  it.each(["heads", "shared", "full"] as const)("adds a bias (%s)", async (bias) => {
    for (const dtype of dtypes) await check({ ...plain, batch: 2, heads: 3, queries: 13, keys: 22, hidden: 0.3, bias, dtype });
    await check({ ...decoding, bias });
  });

  it("reads a bias in bands of queries", async () => {
    const { flops } = LAUNCH;
    LAUNCH.flops = 20_000;
    await check({ ...plain, queries: 70, keys: 30, batch: 2, bias: "full" });
    LAUNCH.flops = flops;
  });

  it("equals it for one query over many keys", () => check({ ...plain, queries: 1, keys: 333, batch: 2, size: 16 }));

  it("keeps very large logits finite", () => check({ ...plain, magnitude: 60, keys: 50, scale: 1 }));

  it("gives the value of the one key that the mask leaves", () => check({ ...plain, hidden: 1, queries: 70, keys: 70 }));

  it("gives the same in bands of queries", async () => {
    const whole = LAUNCH.flops;
    LAUNCH.flops = 20_000;
    await check({ ...plain, queries: 70, keys: 70, causal: true, hidden: 0.5, batch: 2 });
    LAUNCH.flops = whole;
  });

  it("reads views of one fused projection", async () => {
    const [length, heads, size] = [13, 2, 8];
    const fused = random(gpu, [1, length, 3, heads, size], "f32", 9);
    const picked = [0, 1, 2].map((i) => fused.values.filter((_, at) => Math.floor(at / (heads * size)) % 3 === i));
    const [q, k, v] = [0, 1, 2].map((i) => fused.tensor.reshape([1, length, 3 * heads, size]).slice(2, i * heads, (i + 1) * heads));
    using out = attention(q, k, v);
    await expectClose(out, reference(picked[0], picked[1], picked[2], new Int32Array(length).fill(1), { ...plain, queries: length, keys: length, heads, size }));
  });

  it("names what does not fit", () => {
    using q = random(gpu, [1, 2, 2, 8], "f32", 1).tensor;
    using k = random(gpu, [1, 3, 2, 8], "f32", 1).tensor;
    using v = random(gpu, [1, 4, 2, 8], "f32", 1).tensor;
    expect(() => attention(q, k, v)).toThrow("attention: v expected [1, 3, 2, 8], got [1, 4, 2, 8]");
    using keyMask = upload(gpu, new Int32Array(2), [1, 2], "i32");
    expect(() => attention(q, k, k, { keyMask })).toThrow("attention: keyMask expected [1, 3], got [1, 2]");
    using bias = random(gpu, [2, 2, 2, 3], "f32", 1).tensor;
    expect(() => attention(q, k, k, { bias })).toThrow("attention: bias expected [1, 2, 2, 3], got [2, 2, 2, 3]");
  });
});
