// Concatenation against plain loops.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { concat } from "../../src/kernels/concat.ts";
import { sizeOf } from "../../src/tensor/shape.ts";
import { empty } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, random } from "./values.ts";

const gpu = await testGpu();
const small = await testGpu({ limits: { maxStorageBufferBindingSize: 4096 } });
afterAll(() => [gpu, small].forEach((each) => each.destroy()));
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

/** Rows of each part in turn. */
function reference(parts: readonly Float64Array[], lengths: readonly number[], outer: number, inner: number): Float64Array {
  const out: number[] = [];
  for (let row = 0; row < outer; row++) parts.forEach((part, i) => out.push(...part.subarray(row * lengths[i] * inner, (row + 1) * lengths[i] * inner)));
  return Float64Array.from(out);
}

describe.each(dtypes)("concat, %s", (dtype) => {
  it("along any axis", async () => {
    const cases = fc.record({
      shape: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }),
      lengths: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }),
      axis: fc.nat(),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape, lengths, axis: any, seed }) => {
        const axis = any % shape.length;
        const parts = lengths.map((length, i) => random(gpu, shape.with(axis, length), dtype, seed + i));
        using out = concat(parts.map(({ tensor }) => tensor), axis - shape.length);
        const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
        await expectClose(out, reference(parts.map(({ values }) => values), lengths, outer, inner), 0);
        parts.forEach(({ tensor }) => tensor.dispose());
      }),
      { numRuns: 15 },
    );
  });
});

describe("concat", () => {
  it("past the binding limit", async () => {
    const a = random(small, [40, 30], "f32", 1);
    const b = random(small, [40, 21], "f32", 2);
    using out = concat([a.tensor, b.tensor], 1);
    await expectClose(out, reference([a.values, b.values], [30, 21], 40, 1), 0);
  });

  it("names the tensor that does not fit", () => {
    using a = empty(gpu, [2, 3, 4], "f32");
    using b = empty(gpu, [2, 5, 5], "f32");
    using whole = empty(gpu, [2, 3, 4], "i32");
    expect(() => concat([a, b], 1)).toThrow("concat: tensor 1 expected [2, *, 4] f32, got [2, 5, 5] f32");
    expect(() => concat([a, whole], 1)).toThrow("concat: tensor 1 expected [2, *, 4] f32, got [2, 3, 4] i32");
    expect(() => concat([a], 3)).toThrow("concat: axis 3");
    expect(() => concat([], 0)).toThrow("concat: no tensors");
  });

  it("plans without a device", () => {
    const planner = gpu.planner();
    using a = empty(planner, [2, 3], "f32");
    using out = concat([a, a], 0);
    expect(out.shape).toEqual([4, 3]);
  });
});
