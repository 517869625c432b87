// Softmax against plain loops in f64.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { softmax } from "../../src/kernels/softmax.ts";
import { ShapeError } from "../../src/tensor/shape.ts";
import { empty } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, known, random } from "./values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

function reference(x: Float64Array, cols: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += cols) {
    const row = x.subarray(start, start + cols);
    const largest = Math.max(...row);
    const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
    row.forEach((value, c) => (out[start + c] = Math.exp(value - largest) / sum));
  }
  return out;
}

describe.each(dtypes)("softmax, %s", (dtype) => {
  it("equals the reference", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 700 }), fc.nat(), async (rows, cols, seed) => {
        const x = random(gpu, [rows, cols], dtype, seed, 9);
        using out = softmax(x.tensor);
        await expectClose(out, reference(x.values, cols));
        x.tensor.dispose();
      }),
      { numRuns: 15 },
    );
  });
});

describe("softmax", () => {
  it("takes large values and views", async () => {
    const x = known(gpu, [3e4, -3e4, 1, 2.9999e4, 2.9998e4, -1], [3, 2], "f32");
    using turned = x.tensor.permute(1, 0); // [2, 3]
    using out = softmax(turned);
    await expectClose(out, reference(Float64Array.of(3e4, 1, 2.9998e4, -3e4, 2.9999e4, -1), 3));
  });

  it("refuses a scalar, and plans without a device", () => {
    using scalar = empty(gpu, [], "f32");
    expect(() => softmax(scalar)).toThrow(ShapeError);
    const planner = gpu.planner();
    using x = empty(planner, [4, 5], "f32");
    using out = softmax(x);
    expect(out.shape).toEqual([4, 5]);
  });
});
