// Timestep embeddings against diffusers' own (tests/reference/timestep_embedding.py).
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { guidanceScaleTable, timestepEmbedding, timestepTable } from "../../src/kernels/timestep-embedding.ts";
import { testGpu } from "../gpu.ts";
import { expectClose } from "./values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());

interface Golden {
  readonly timesteps: readonly number[];
  readonly guidanceScales: readonly number[];
  readonly guidance: readonly { readonly dim: number; readonly values: readonly number[] }[];
  readonly cases: readonly { readonly dim: number; readonly flipSinToCos: boolean; readonly downscaleFreqShift: number; readonly values: readonly number[] }[];
}

const golden: Golden = JSON.parse(readFileSync(new URL("../reference/golden/timestep-embedding.json", import.meta.url), "utf8"));

/** Equal but for a few frequencies whose last bit PyTorch's exp rounds differently, times t. */
function expectSinusoids(got: Float32Array, values: readonly number[], t: readonly number[], dim: number): void {
  const differences = values.map((value, i) => Math.abs(value - got[i]));
  expect(got.length).toBe(values.length);
  expect(differences.filter((difference) => difference > 1e-6).length).toBeLessThanOrEqual(0.03 * values.length);
  differences.forEach((difference, i) => expect(difference).toBeLessThanOrEqual(1e-6 + t[Math.floor(i / dim)] * 2 ** -23));
}

describe("guidanceScaleEmbedding", () => {
  it.each(golden.guidance)("of dim $dim equals diffusers'", ({ values, dim }) => {
    const scales = golden.guidanceScales;
    expectSinusoids(guidanceScaleTable(scales, dim), values, scales.map((scale) => 1000 * (scale - 1)), dim);
  });
});

describe("timestepEmbedding", () => {
  it.each(golden.cases)("of dim $dim equals diffusers'", ({ values, dim, ...options }) => {
    expectSinusoids(timestepTable(golden.timesteps, dim, options), values, golden.timesteps, dim);
  });

  it("is a tensor [B, dim], an odd dim's last column 0", async () => {
    using out = timestepEmbedding(gpu, [999, 3], 5, { flipSinToCos: true, downscaleFreqShift: 0 });
    expect([out.shape, out.dtype]).toEqual([[2, 5], "f32"]);
    await expectClose(out, [999, 3].flatMap((t) => [Math.cos(t), Math.cos(t / 100), Math.sin(t), Math.sin(t / 100), 0]), 1e-4);
  });

  it("refuses a dim without frequencies, and plans without a device", () => {
    expect(() => timestepTable([1], 1)).toThrow("timestepEmbedding: dim 1 with downscaleFreqShift 1 has no frequencies");
    expect(() => timestepTable([1], 2)).toThrow("has no frequencies");
    using out = timestepEmbedding(gpu.planner(), [1, 2, 3], 8);
    expect(out.shape).toEqual([3, 8]);
  });
});
