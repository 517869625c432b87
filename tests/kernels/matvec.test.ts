// Matrix-vector products against a double loop.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { Gpu } from "../../src/gpu/gpu.ts";
import type { Activation } from "../../src/kernels/activation.ts";
import { matvec, matvecVariant, readsRows } from "../../src/kernels/matvec.ts";
import { read } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { activation as activationOf } from "./references.ts";
import { expectClose, type Float, random } from "./values.ts";

const gpu = await testGpu();
const withoutSubgroups = await testGpu({ features: { subgroups: false } });
/** The variant for real GPUs, on this one. */
const hardware = Object.assign(await testGpu({ features: { subgroups: false } }), { traits: { software: false, subgroupSize: 0 } });
const devices = { gpu, withoutSubgroups, hardware };
afterAll(() => Object.values(devices).forEach((each) => each.destroy()));

interface Case {
  readonly rows: number;
  readonly cols: number;
  readonly quads: number;
  readonly seed: number;
}

interface Fixed {
  readonly on: keyof typeof devices;
  readonly types: readonly [x: Float, weight: Float];
  readonly bias: boolean;
  readonly residual: boolean;
  readonly activation: Activation;
  readonly rows: readonly number[];
}

const fixed: Fixed[] = [
  { on: "gpu", types: ["f32", "f32"], bias: true, residual: true, activation: "silu", rows: [1, 3] },
  { on: "withoutSubgroups", types: ["f32", "f32"], bias: true, residual: false, activation: "none", rows: [2] },
  { on: "hardware", types: ["f32", "f32"], bias: false, residual: true, activation: "none", rows: [1, 2] },
  ...(gpu.features.f16 ? [{ on: "gpu", types: ["f32", "f16"], bias: true, residual: true, activation: "gelu-tanh", rows: [1] }, { on: "gpu", types: ["f16", "f16"], bias: false, residual: true, activation: "none", rows: [1] }] satisfies Fixed[] : []),
];

async function check(on: Gpu, { types: [xType, weightType], ...fixed }: Fixed, { rows, cols, quads, seed }: Case): Promise<void> {
  const terms = quads * (weightType === "f16" ? 8 : 4);
  const x = random(on, [rows, terms], xType, seed);
  const weight = random(on, [cols, terms], weightType, seed + 1);
  const bias = fixed.bias ? random(on, [cols], weightType, seed + 2) : undefined;
  const residual = fixed.residual ? random(on, [rows, cols], xType, seed + 3) : undefined;
  using out = matvec(x.tensor, weight.tensor, { bias: bias?.tensor, residual: residual?.tensor, activation: fixed.activation });
  expect(out.shape).toEqual([rows, cols]);
  const expected = new Float64Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      let sum = bias?.values[col] ?? 0;
      for (let k = 0; k < terms; k++) sum += x.values[row * terms + k] * weight.values[col * terms + k];
      expected[row * cols + col] = activationOf(fixed.activation, sum) + (residual?.values[row * cols + col] ?? 0);
    }
  }
  await expectClose(out, expected);
  for (const each of [x, weight, bias, residual]) each?.tensor.dispose();
}

describe("matvec", () => {
  it.each(fixed)("equals the double loop: $on, $types, $activation, rows $rows", async (constant) => {
    const shapes = fc.record({ rows: fc.constantFrom(...constant.rows), cols: fc.integer({ min: 1, max: 70 }), quads: fc.integer({ min: 1, max: 70 }), seed: fc.nat() });
    await fc.assert(fc.asyncProperty(shapes, (shape) => check(devices[constant.on], constant, shape)), { numRuns: 12 });
  });

  it("gives the same in bands of columns", async () => {
    const small = await testGpu({ limits: { maxStorageBufferBindingSize: 4096 } });
    const outputs: Float32Array[] = [];
    for (const on of [gpu, small]) {
      const out = matvec(random(on, [2, 36], "f32", 5).tensor, random(on, [301, 36], "f32", 6).tensor, { bias: random(on, [301], "f32", 7).tensor, residual: random(on, [2, 301], "f32", 8).tensor });
      outputs.push((await read(out)) as Float32Array);
    }
    expect(outputs[1]).toEqual(outputs[0]);
    small.destroy();
  });

  it("names what does not fit", () => {
    const planner = gpu.planner();
    const weight = random(planner, [5, 8], "f32", 1).tensor;
    expect(() => matvec(random(planner, [1, 12], "f32", 1).tensor, weight)).toThrow("matvec: x expected [1, 8], got [1, 12]");
    expect(() => matvec(random(planner, [9, 8], "f32", 1).tensor, weight)).toThrow("matvec: x expected 1 to 8 rows, got [9, 8]");
    expect(() => matvec(random(planner, [1, 8], "f32", 1).tensor, weight, { bias: random(planner, [4], "f32", 1).tensor })).toThrow("matvec: bias expected [5], got [4]");
    expect(readsRows(random(planner, [5, 6], "f32", 1).tensor)).toBe(false);
  });

  it("splits the terms over as many invocations as a subgroup has", () => {
    const of = (subgroupSize: number, software = false) => matvecVariant(new Gpu(null, gpu.limits, { ...gpu.features, subgroups: subgroupSize > 0 }, "", { software, subgroupSize }), 2048);
    expect([of(32), of(16), of(4), of(0)].map(({ sum, defines }) => `${sum} ${defines.SHARE}`)).toEqual(["subgroup 32", "subgroup 16", "workgroup 32", "workgroup 32"]);
    expect(of(8, true).defines.COLS).toBe(8);
  });
});
