// Nearest upsampling against plain loops.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { upsampleNearest } from "../../src/kernels/upsample.ts";
import { empty } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, random } from "./values.ts";

const gpu = await testGpu();
const small = await testGpu({ limits: { maxStorageBufferBindingSize: 4096 } });
afterAll(() => [gpu, small].forEach((each) => each.destroy()));
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

function reference(x: Float64Array, [n, h, w, c]: readonly number[], height: number, width: number): Float64Array {
  const out = new Float64Array(n * height * width * c);
  const { fround, floor, min } = Math; // torch multiplies by the ratio in f32
  for (let i = 0; i < out.length; i++) {
    const column = floor(i / c) % width;
    const row = floor(i / c / width) % height;
    const sample = floor(i / c / width / height);
    const y = min(floor(fround(row * fround(h / height))), h - 1);
    const xAt = min(floor(fround(column * fround(w / width))), w - 1);
    out[i] = x[((sample * h + y) * w + xAt) * c + (i % c)];
  }
  return out;
}

const extent = fc.integer({ min: 1, max: 9 });
const cases = fc.record({ n: fc.integer({ min: 1, max: 3 }), h: extent, w: extent, c: fc.integer({ min: 1, max: 13 }), height: fc.integer({ min: 1, max: 30 }), width: extent, seed: fc.nat(), banded: fc.boolean() });

describe.each(dtypes)("upsampleNearest, %s", (dtype) => {
  it("equals the reference, in bands too", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ n, h, w, c, height, width, seed, banded }) => {
        const x = random(banded ? small : gpu, [n, h, w, c], dtype, seed);
        using out = upsampleNearest(x.tensor, [height, width]);
        expect(out.shape).toEqual([n, height, width, c]);
        await expectClose(out, reference(x.values, [n, h, w, c], height, width), 0);
        x.tensor.dispose();
      }),
      { numRuns: 25, examples: [[{ n: 2, h: 1, w: 1, c: 11, height: 26, width: 7, seed: 0, banded: true }]] }, // a sample that fits a binding, but not from the aligned offset below it
    );
  });
});

describe("upsampleNearest", () => {
  it("names the operand that does not fit, and plans without a device", () => {
    const planner = gpu.planner();
    using x = empty(planner, [1, 4, 4, 3], "f32");
    expect(() => upsampleNearest(x.reshape([4, 4, 3]), [8, 8])).toThrow("upsampleNearest: x expected [*, *, *, *], got [4, 4, 3]");
    expect(() => upsampleNearest(x, [8, 2.5])).toThrow("upsampleNearest: size expected [H', W'], got [8, 2.5]");
    using out = upsampleNearest(x, [8, 8]);
    expect(out.shape).toEqual([1, 8, 8, 3]);
  });
});
