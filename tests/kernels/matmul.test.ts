// Matrix products against a triple loop.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { Gpu } from "../../src/gpu/gpu.ts";
import type { Activation } from "../../src/kernels/activation.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { GEMM_VARIANTS, pinGemm, splitsFor, variantFor } from "../../src/kernels/gemm.ts";
import { read } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { activation as activationOf } from "./references.ts";
import { expectClose, type Float, random } from "./values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());

interface Case {
  lead: { a: number[]; b: number[]; out: number[] };
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
  bias: boolean;
  residual: boolean;
  activation: Activation;
  scale: number;
  types: [a: Float, b: Float];
  seed: number;
  size: number;
}

type Fixed = Pick<Case, "transposeB" | "bias" | "residual" | "activation" | "types">;

/** One pipeline each: compiling is most of the time on a GPU that the CPU plays. */
const fixed: Fixed[] = [
  { transposeB: true, bias: true, residual: false, activation: "none", types: ["f32", "f32"] },
  { transposeB: false, bias: false, residual: true, activation: "gelu", types: ["f32", "f32"] },
  ...(gpu.features.f16 ? [{ transposeB: true, bias: true, residual: true, activation: "silu", types: ["f32", "f16"] }, { transposeB: false, bias: false, residual: false, activation: "none", types: ["f16", "f16"] }] satisfies Fixed[] : []),
];

const shapes = fc.record<Omit<Case, keyof Fixed>>({
  lead: fc.constantFrom(
    { a: [], b: [], out: [] },
    { a: [3], b: [], out: [3] },
    { a: [2], b: [2], out: [2] },
    { a: [], b: [3], out: [3] },
    { a: [2, 1], b: [3], out: [2, 3] },
  ),
  m: fc.integer({ min: 1, max: 70 }),
  n: fc.integer({ min: 1, max: 70 }),
  k: fc.integer({ min: 1, max: 70 }),
  transposeA: fc.boolean(),
  scale: fc.constantFrom(1, 0.25),
  seed: fc.nat(),
  size: fc.constant(1),
});

async function check(on: Gpu, c: Case): Promise<void> {
  const [aType, bType] = c.types;
  const a = random(on, [...c.lead.a, ...(c.transposeA ? [c.k, c.m] : [c.m, c.k])], aType, c.seed, c.size);
  const b = random(on, [...c.lead.b, ...(c.transposeB ? [c.n, c.k] : [c.k, c.n])], bType, c.seed + 1);
  const bias = c.bias ? random(on, [c.n], bType, c.seed + 2) : undefined;
  const residual = c.residual ? random(on, [...c.lead.out, c.m, c.n], aType, c.seed + 3) : undefined;
  const { transposeA, transposeB, activation, scale } = c;
  using out = matmul(a.tensor, b.tensor, { transposeA, transposeB, activation, scale, bias: bias?.tensor, residual: residual?.tensor });
  expect(out.shape).toEqual([...c.lead.out, c.m, c.n]);
  const batch = c.lead.out.reduce((x, y) => x * y, 1);
  const expected = new Float64Array(batch * c.m * c.n);
  for (let i = 0; i < batch; i++) {
    const aBatch = c.lead.a.length === 2 ? Math.floor(i / 3) : c.lead.a.length ? i : 0;
    const bBatch = c.lead.b.length ? i % c.lead.b[0] : 0;
    for (let row = 0; row < c.m; row++) {
      for (let col = 0; col < c.n; col++) {
        let sum = 0;
        for (let k = 0; k < c.k; k++) {
          const left = a.values[aBatch * c.m * c.k + (transposeA ? k * c.m + row : row * c.k + k)];
          const right = b.values[bBatch * c.k * c.n + (transposeB ? col * c.k + k : k * c.n + col)];
          sum += left * right;
        }
        const at = (i * c.m + row) * c.n + col;
        expected[at] = activationOf(activation, sum * scale + (bias?.values[col] ?? 0)) + (residual?.values[at] ?? 0);
      }
    }
  }
  await expectClose(out, expected);
  for (const known of [a, b, bias, residual]) known?.tensor.dispose();
}

const plain: Case = { lead: { a: [], b: [], out: [] }, m: 1, n: 1, k: 1, transposeA: false, transposeB: true, bias: true, residual: false, activation: "none", scale: 1, types: ["f32", "f32"], seed: 7, size: 1 };

describe("matmul", () => {
  it.each(fixed)("equals the triple loop: transposeB $transposeB, bias $bias, residual $residual, $activation, $types", async (constant) => {
    await fc.assert(fc.asyncProperty(shapes, (shape) => check(gpu, { ...shape, ...constant })), { numRuns: 20 });
  });

  it("equals it with the terms split over workgroups", { timeout: 240_000 }, async () => {
    const pinned = await testGpu();
    pinGemm(pinned, "medium", 3);
    await check(pinned, { ...plain, ...{ m: 45, n: 34, k: 77, scale: 0.5, residual: true, activation: "gelu" } });
    pinned.destroy();
  });

  it.each(GEMM_VARIANTS.filter((name) => gpu.features.subgroups || !name.startsWith("lanes")))("equals it in variant %s", { timeout: 240_000 }, async (variant) => {
    const pinned = await testGpu();
    pinGemm(pinned, variant);
    for (const size of [{ m: 133, n: 70, k: 36 }, { m: 1, n: 300, k: 77 }, { m: 64, n: 128, k: 8 }]) await check(pinned, { ...plain, ...size });
    pinned.destroy();
  });

  it("chooses a variant by the shape", () => {
    const hardware = new Gpu(null, gpu.limits, gpu.features, "hardware");
    expect([[1, 1280], [256, 320], [4096, 2560]].map(([m, n]) => variantFor(hardware, m, n))).toEqual(["thin", "medium", "large"]);
    expect(splitsFor("medium", 64, 1280, 23040, 1)).toBe(3);
    expect([splitsFor("large", 4096, 2560, 320, 1), splitsFor("medium", 64, 64, 64, 1), splitsFor("lanes8", 64, 64, 4096, 1)]).toEqual([1, 1, 1]);
    const software = new Gpu(null, gpu.limits, { ...gpu.features, subgroups: false }, "software", { software: true, subgroupSize: 0 });
    expect(variantFor(software, 64, 64)).toBe("alone");
  });

  it("sums values near 1e5", () => check(gpu, { ...plain, m: 40, n: 40, k: 100, size: 1e5 }));

  it("reads a strided view", async () => {
    const whole = random(gpu, [6, 3, 8], "f32", 3);
    const b = random(gpu, [8, 2], "f32", 4);
    using view = whole.tensor.slice(1, 1, 2).slice(0, 1, 6); // [5, 1, 8]
    using out = matmul(view, b.tensor);
    const expected = Array.from({ length: 10 }, (_, i) => {
      const row = whole.values.subarray((3 * (Math.floor(i / 2) + 1) + 1) * 8);
      return Array.from({ length: 8 }, (_, k) => row[k] * b.values[2 * k + (i % 2)]).reduce((x, y) => x + y);
    });
    await expectClose(out, expected);
    for (const { tensor } of [whole, b]) tensor.dispose();
  });

  it("names what does not fit", () => {
    using a = random(gpu, [2, 3], "f32", 1).tensor;
    using b = random(gpu, [4, 5], "f32", 1).tensor;
    using bias = random(gpu, [4], "f32", 1).tensor;
    expect(() => matmul(a, b)).toThrow("matmul: b expected [3, 5], got [4, 5]");
    using c = random(gpu, [3, 5], "f32", 1).tensor;
    expect(() => matmul(a, c, { bias })).toThrow("matmul: bias expected [5], got [4]");
    expect(() => matmul(a, bias)).toThrow("matrices expected");
  });

  it("gives the same in bands of rows", async () => {
    const small = await testGpu({ limits: { maxStorageBufferBindingSize: 8192 } });
    const outputs: Float32Array[] = [];
    for (const on of [gpu, small]) {
      const a = random(on, [2, 301, 40], "f32", 5).tensor;
      const b = random(on, [20, 40], "f32", 6).tensor;
      const residual = random(on, [2, 301, 20], "f32", 7).tensor;
      const out = matmul(a, b, { transposeB: true, residual });
      outputs.push((await read(out)) as Float32Array);
    }
    expect(outputs[1]).toEqual(outputs[0]);
    small.destroy();
  });
});
