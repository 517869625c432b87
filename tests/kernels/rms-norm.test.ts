// RMS norm against plain loops.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { rmsNorm } from "../../src/kernels/rms-norm.ts";
import { empty } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, random } from "./values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

function reference(x: Float64Array, cols: number, weight: Float64Array, eps: number, shift: number, residual?: Float64Array): Float64Array {
  return x.map((value, i) => {
    const row = x.subarray(Math.floor(i / cols) * cols, Math.floor(i / cols) * cols + cols);
    const mean = row.reduce((sum, other) => sum + other * other, 0) / cols;
    return (value / Math.sqrt(mean + eps)) * (weight[i % cols] + shift) + (residual?.[i] ?? 0);
  });
}

describe.each(dtypes)("rmsNorm, %s", (dtype) => {
  it("equals the reference, with a shift and a residual of another type", async () => {
    const cases = fc.record({ batch: fc.integer({ min: 1, max: 3 }), rows: fc.integer({ min: 1, max: 9 }), cols: fc.integer({ min: 1, max: 300 }), added: fc.boolean(), seed: fc.nat() });
    await fc.assert(
      fc.asyncProperty(cases, async ({ batch, rows, cols, added, seed }) => {
        const x = random(gpu, [batch, rows, cols], dtype, seed, 3);
        const weight = random(gpu, [cols], "f32", seed + 1);
        const residual = random(gpu, [batch, rows, cols], "f32", seed + 2);
        using out = rmsNorm(x.tensor, weight.tensor, { eps: 1e-3, shift: added ? 1 : 0, residual: added ? residual.tensor : undefined });
        expect(out.dtype).toBe(added ? "f32" : dtype);
        await expectClose(out, reference(x.values, cols, weight.values, 1e-3, added ? 1 : 0, added ? residual.values : undefined));
        for (const { tensor } of [x, weight, residual]) tensor.dispose();
      }),
      { numRuns: 8 },
    );
  });
});

it("names the operation, the operand and both shapes", () => {
  using x = empty(gpu, [2, 8], "f32");
  using short = empty(gpu, [4], "f32");
  using weight = empty(gpu, [8], "f32");
  expect(() => rmsNorm(x, short)).toThrow("rmsNorm: weight expected [8], got [4]");
  expect(() => rmsNorm(x, weight, { residual: short })).toThrow("rmsNorm: residual expected [2, 8], got [4]");
});
