// The choice of a linear layer's kernel, against a double loop.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/gpu.ts";
import { pinGemm } from "../../src/kernels/gemm.ts";
import { linear } from "../../src/kernels/linear.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, random } from "./values.ts";

const gpu = await testGpu();
const small = await testGpu({ limits: { maxStorageBufferBindingSize: 4096 } });
afterAll(() => [gpu, small].forEach((each) => each.destroy()));

interface Case {
  readonly lead: readonly number[];
  readonly cols: number;
  readonly terms: number;
  readonly seed: number;
}

async function check(on: Gpu, { lead, cols, terms, seed }: Case): Promise<void> {
  const x = random(on, [...lead, terms], "f32", seed);
  const weight = random(on, [cols, terms], "f32", seed + 1);
  const bias = random(on, [cols], "f32", seed + 2);
  const residual = random(on, [...lead, cols], "f32", seed + 3);
  using out = linear(x.tensor, weight.tensor, { bias: bias.tensor, residual: residual.tensor });
  expect(out.shape).toEqual([...lead, cols]);
  const expected = Float64Array.from({ length: out.size }, (_, i) => {
    const [row, col] = [Math.floor(i / cols), i % cols];
    let sum = bias.values[col] + residual.values[i];
    for (let k = 0; k < terms; k++) sum += x.values[row * terms + k] * weight.values[col * terms + k];
    return sum;
  });
  await expectClose(out, expected);
  for (const { tensor } of [x, weight, bias, residual]) tensor.dispose();
}

describe("linear", () => {
  it("equals the double loop, for one row and many, for rows of any length, past the binding limit", async () => {
    const cases = fc.record({ lead: fc.constantFrom([], [1], [2, 1], [1, 9], [2, 3]), cols: fc.integer({ min: 1, max: 90 }), terms: fc.integer({ min: 1, max: 48 }), seed: fc.nat(), banded: fc.boolean() });
    await fc.assert(fc.asyncProperty(cases, ({ banded, ...shape }) => check(banded ? small : gpu, shape)), { numRuns: 24 });
  });

  it("keeps to matmul where a variant is pinned", async () => {
    const pinned = await testGpu();
    pinGemm(pinned, "alone");
    const planner = pinned.planner();
    pinGemm(planner, "alone");
    linear(random(planner, [1, 8], "f32", 1).tensor, random(planner, [8, 8], "f32", 1).tensor).dispose();
    expect(planner.pipelines.wanted.map(({ label }) => label)).toEqual(["matmul-alone"]);
    pinned.destroy();
  });

  it("names what does not fit", () => {
    const planner = gpu.planner();
    const of = (...shape: number[]) => random(planner, shape, "f32", 1).tensor;
    expect(() => linear(of(2, 3), of(4, 5))).toThrow("linear: x expected [..., K] and weight [N, K], got [2, 3] and [4, 5]");
    expect(() => linear(of(40, 5), of(4, 5), { bias: of(5) })).toThrow("linear: bias expected [4], got [5]");
    expect(() => linear(of(40, 5), of(4, 5), { residual: of(4) })).toThrow("linear: residual expected [40, 4], got [4]");
  });
});
