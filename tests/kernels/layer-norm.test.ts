// Layer norm against plain loops in f64.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { layerNorm } from "../../src/kernels/layer-norm.ts";
import { empty } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, known, lcg, random } from "./values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

function reference(x: Float64Array, cols: number, weight: Float64Array, bias: Float64Array | null, eps: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += cols) {
    const row = x.subarray(start, start + cols);
    const mean = row.reduce((sum, value) => sum + value, 0) / cols;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / cols;
    row.forEach((value, c) => (out[start + c] = ((value - mean) / Math.sqrt(variance + eps)) * weight[c] + (bias ? bias[c] : 0)));
  }
  return out;
}

describe.each(dtypes)("layerNorm, %s", (dtype) => {
  it("equals the reference", async () => {
    const cases = fc.record({ batch: fc.integer({ min: 1, max: 3 }), rows: fc.integer({ min: 1, max: 9 }), cols: fc.integer({ min: 1, max: 700 }), biased: fc.boolean(), seed: fc.nat() });
    await fc.assert(
      fc.asyncProperty(cases, async ({ batch, rows, cols, biased, seed }) => {
        const x = random(gpu, [batch, rows, cols], dtype, seed, 3);
        const weight = random(gpu, [cols], dtype, seed + 1);
        const bias = random(gpu, [cols], "f32", seed + 2);
        using out = layerNorm(x.tensor, weight.tensor, biased ? bias.tensor : null, 1e-3);
        expect(out.shape).toEqual(x.tensor.shape);
        await expectClose(out, reference(x.values, cols, weight.values, biased ? bias.values : null, 1e-3));
        [x, weight, bias].forEach(({ tensor }) => tensor.dispose());
      }),
      { numRuns: 15 },
    );
  });
});

describe("layerNorm", () => {
  it("has rows near 1e5 with a small variance right", async () => {
    const next = lcg(3);
    const x = known(gpu, Float64Array.from({ length: 5 * 321 }, () => 1e5 + 2 * next() - 1), [5, 321], "f32");
    const weight = random(gpu, [321], "f32", 1);
    const bias = random(gpu, [321], "f32", 2);
    using out = layerNorm(x.tensor, weight.tensor, bias.tensor, 1e-5);
    await expectClose(out, reference(x.values, 321, weight.values, bias.values, 1e-5));
  });

  it("names the operation, the operand and both shapes", () => {
    using x = empty(gpu, [2, 8], "f32");
    using short = empty(gpu, [4], "f32");
    using weight = empty(gpu, [8], "f32");
    expect(() => layerNorm(x, short, null, 1e-5)).toThrow("layerNorm: weight expected [8], got [4]");
    expect(() => layerNorm(x, weight, short, 1e-5)).toThrow("layerNorm: bias expected [8], got [4]");
  });

  it("plans without a device", () => {
    const planner = gpu.planner();
    using x = empty(planner, [2, 3, 8], "f32");
    using weight = empty(planner, [8], "f32");
    using out = layerNorm(x, weight, weight, 1e-5);
    expect(out.shape).toEqual([2, 3, 8]);
    expect(planner.work.dispatches).toBe(1);
  });
});
