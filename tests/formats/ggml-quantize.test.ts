// Quantisation to GGML's blocks: read back by the dequantiser.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "../../src/formats/errors.ts";
import { dequantizeBlocks } from "../../src/formats/ggml-blocks.ts";
import { quantizeBlocks } from "../../src/formats/ggml-quantize.ts";
import { lcg } from "../kernels/values.ts";

/** Root of the mean squared error on 4096 normal values. */
function errorOf(type: "Q8_0" | "Q4_1"): number {
  const next = lcg(5);
  const values = Float32Array.from({ length: 4096 }, () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
  const back = dequantizeBlocks(type, quantizeBlocks(type, values));
  return Math.sqrt(values.reduce((sum, value, i) => sum + (value - back[i]) ** 2, 0) / values.length);
}

describe("quantizeBlocks", () => {
  it("keeps normal values to 0.6 % and 7.5 % of their spread", () => {
    expect(errorOf("Q8_0")).toBeLessThan(0.006);
    expect(errorOf("Q4_1")).toBeLessThan(0.075);
  });

  it("is off by at most a step", () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 32, maxLength: 32, min: -100, max: 100, noNaN: true }), (values) => {
        const range = Math.max(...values) - Math.min(...values);
        const largest = Math.max(...values.map(Math.abs));
        dequantizeBlocks("Q8_0", quantizeBlocks("Q8_0", values)).forEach((value, i) => expect(Math.abs(value - values[i])).toBeLessThanOrEqual(largest / 200 + 1e-4));
        dequantizeBlocks("Q4_1", quantizeBlocks("Q4_1", values)).forEach((value, i) => expect(Math.abs(value - values[i])).toBeLessThanOrEqual(range / 8 + largest / 500 + 1e-4));
      }),
    );
  });

  it("keeps a constant block, and zeros", () => {
    for (const value of [0, 0.5, -3]) {
      for (const type of ["Q8_0", "Q4_1"] as const) {
        for (const back of dequantizeBlocks(type, quantizeBlocks(type, new Float32Array(32).fill(value)))) expect(back).toBeCloseTo(value, 2);
      }
    }
  });

  it("refuses what a block cannot hold", () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      for (const type of ["Q8_0", "Q4_1"] as const) expect(() => quantizeBlocks(type, new Float32Array(32).fill(bad, 3, 4))).toThrow(FormatError);
    }
    expect(() => quantizeBlocks("Q8_0", new Float32Array(33))).toThrow("33 values are no whole number of blocks of 32");
  });
});
