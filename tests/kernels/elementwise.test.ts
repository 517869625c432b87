// Elementwise arithmetic, broadcasting and copies against plain loops.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { contiguous, copyInto } from "../../src/kernels/copy.ts";
import { add, affine, clamp, div, exp, guide, lerp, mul, sub, tanh } from "../../src/kernels/elementwise.ts";
import { mergeAxes } from "../../src/kernels/strided.ts";
import { type Shape, ShapeError, sizeOf, stridesOf } from "../../src/tensor/shape.ts";
import { empty, type Tensor, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, known, random, readFloats } from "./values.ts";

const gpu = await testGpu();
const small = await testGpu({ limits: { maxStorageBufferBindingSize: 4096 } });
afterAll(() => [gpu, small].forEach((each) => each.destroy()));
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

const operations: readonly (readonly [name: string, (a: Tensor, b: Tensor) => Tensor, (a: number, b: number) => number])[] = [
  ["add", add, (a, b) => a + b],
  ["sub", sub, (a, b) => a - b],
  ["mul", mul, (a, b) => a * b],
  ["div", div, (a, b) => a / b],
  ["lerp", (a, b) => lerp(a, b, 7.5), (a, b) => a + 7.5 * (b - a)],
];

/** The value that a tensor of `shape` has at element i of the broadcast shape `out`. */
function broadcastValue(values: Float64Array, shape: Shape, out: Shape, i: number): number {
  const strides = stridesOf(shape);
  let at = 0;
  let rest = i;
  for (let axis = out.length - 1; axis >= 0; axis--) {
    const own = axis - (out.length - shape.length);
    if (own >= 0 && shape[own] !== 1) at += (rest % out[axis]) * strides[own];
    rest = Math.floor(rest / out[axis]);
  }
  return values[at];
}

const broadcastPair = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom("both", "a", "b")), { minLength: 1, maxLength: 6 });

describe.each(dtypes)("two tensors, %s", (dtype) => {
  it.each(operations)("%s with broadcasting", async (_name, operation, reference) => {
    await fc.assert(
      fc.asyncProperty(broadcastPair, fc.nat(), fc.nat({ max: 3 }), async (axes, seed, dropped) => {
        const shape = axes.map(([n]) => n);
        const a = random(gpu, axes.map(([n, side]) => (side === "b" ? 1 : n)), dtype, seed, 4);
        const bShape = axes.map(([n, side]) => (side === "a" ? 1 : n)).slice(Math.min(dropped, axes.length - 1));
        // Divisors keep away from 0.
        const b = known(gpu, random(gpu, bShape, "f32", seed + 1).values.map((x) => Math.sign(x) * (1 + Math.abs(x))), bShape, dtype);
        using out = operation(a.tensor, b.tensor);
        const outShape = out.shape;
        const expected = Float64Array.from({ length: sizeOf(outShape) }, (_, i) =>
          reference(broadcastValue(a.values, a.tensor.shape, outShape, i), broadcastValue(b.values, bShape, outShape, i)));
        expect(outShape.every((n, axis) => n === shape[axis] || n === 1)).toBe(true);
        await expectClose(out, expected, dtype === "f32" ? 1e-6 : 1e-3);
        a.tensor.dispose();
        b.tensor.dispose();
      }),
      { numRuns: 10 },
    );
  });

  it("reads transposed and sliced views", async () => {
    const a = random(gpu, [7, 11], dtype, 1);
    const b = random(gpu, [11, 9], dtype, 2);
    using left = a.tensor.permute(1, 0).slice(0, 2, 11); // [9, 7]
    using right = b.tensor.slice(0, 0, 7).permute(1, 0); // [9, 7]
    using out = sub(left, right);
    const expected = Float64Array.from({ length: 63 }, (_, i) => a.values[(i % 7) * 11 + Math.floor(i / 7) + 2] - b.values[(i % 7) * 9 + Math.floor(i / 7)]);
    await expectClose(out, expected, dtype === "f32" ? 1e-6 : 1e-3);
  });
});

describe.each(dtypes)("one tensor, %s", (dtype) => {
  it.each([
    ["affine", (x: Tensor) => affine(x, 1.5, -0.25), (x: number) => 1.5 * x - 0.25],
    ["clamp", (x: Tensor) => clamp(x, -1, 2), (x: number) => Math.min(Math.max(x, -1), 2)],
    ["tanh", tanh, Math.tanh],
    ["exp", exp, Math.exp],
  ] as const)("%s", async (_name, operation, reference) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 900 }), fc.nat(), async (size, seed) => {
        const x = random(gpu, [size], dtype, seed, 4);
        using out = operation(x.tensor);
        await expectClose(out, x.values.map(reference), dtype === "f32" ? 1e-6 : 1e-3);
        x.tensor.dispose();
      }),
      { numRuns: 10 },
    );
  });
});

describe("tanh", () => {
  it("keeps its digits near 0 and saturates far from it", async () => {
    const x = known(gpu, [-3e38, -100, -0.26, -0.24, -1e-20, 0, 1e-6, 1e-3, 0.1, 0.25, 1, 88, 1e10], [13], "f32");
    using out = tanh(x.tensor);
    const got = await readFloats(out);
    x.values.forEach((value, i) => expect(Math.abs(got[i] - Math.tanh(value))).toBeLessThanOrEqual(1e-6 * Math.abs(Math.tanh(value))));
  });
});

describe("guide", () => {
  it("moves from the unconditional to the conditional half", async () => {
    const model = random(gpu, [6, 5, 3], "f32", 3);
    using out = guide(model.tensor, 7.5);
    expect(out.shape).toEqual([3, 5, 3]);
    await expectClose(out, Float64Array.from({ length: 45 }, (_, i) => model.values[i] + 7.5 * (model.values[45 + i] - model.values[i])), 1e-6);
  });
});

describe("past the binding limit", () => {
  it("equals the whole, for rows and for single long ones", async () => {
    for (const shape of [[1, 37, 5, 33], [1, 5000], [3001]]) {
      const a = random(small, shape, "f32", 4);
      const b = random(small, shape, "f32", 5);
      using out = add(a.tensor, b.tensor);
      await expectClose(out, a.values.map((x, i) => x + b.values[i]), 1e-6);
    }
  });

  it("broadcasts a channel vector and copies a transposed view", async () => {
    const x = random(small, [50, 71], "f32", 6);
    const bias = random(small, [71], "f32", 7);
    using sum = add(x.tensor, bias.tensor);
    await expectClose(sum, x.values.map((value, i) => value + bias.values[i % 71]), 1e-6);
    using turned = x.tensor.permute(1, 0);
    using copy = contiguous(turned);
    await expectClose(copy, Float64Array.from({ length: 3550 }, (_, i) => x.values[(i % 50) * 71 + Math.floor(i / 50)]), 0);
  });
});

describe("copy", () => {
  it("writes into a part of another tensor, at odd f16 places too", async () => {
    for (const dtype of dtypes) {
      const x = random(gpu, [3, 5], dtype, 8);
      const whole = known(gpu, new Float64Array(4 * 7), [4, 7], dtype);
      using part = whole.tensor.slice(0, 1, 4).slice(1, 1, 6); // [3, 5]
      copyInto(x.tensor, part);
      const expected = Float64Array.from({ length: 28 }, (_, i) => (i >= 7 && i % 7 >= 1 && i % 7 < 6 ? x.values[(Math.floor(i / 7) - 1) * 5 + (i % 7) - 1] : 0));
      await expectClose(whole.tensor, expected, 0);
    }
  });

  it("takes tensors without elements, with one, and of rank 0", async () => {
    const before = gpu.work.dispatches;
    using none = empty(gpu, [3, 0, 2], "f32");
    using copied = contiguous(none.permute(2, 1, 0));
    expect(copied.shape).toEqual([2, 0, 3]);
    expect(gpu.work.dispatches).toBe(before);
    using scalar = upload(gpu, Float32Array.of(3), [], "f32");
    using sum = add(scalar, scalar);
    await expectClose(sum, [6], 0);
  });

  it("merges axes that follow one another in every view", () => {
    expect(mergeAxes([2, 3, 4], [[12, 4, 1]])).toEqual({ shape: [24], strides: [[1]] });
    expect(mergeAxes([2, 1, 4], [[4, 4, 1], [0, 0, 1]])).toEqual({ shape: [2, 4], strides: [[4, 1], [0, 1]] });
    expect(mergeAxes([1, 1], [[1, 1]])).toEqual({ shape: [1], strides: [[0]] });
  });
});

describe("refusals and plans", () => {
  it("names the operation, the operand and both shapes", () => {
    using a = empty(gpu, [2, 3], "f32");
    using b = empty(gpu, [2, 4], "f32");
    using whole = empty(gpu, [2], "i32");
    using deep = empty(gpu, [1, 1, 1, 1, 1, 1, 1], "f32");
    expect(() => add(a, b)).toThrow("add: [2, 3] and [2, 4] do not broadcast");
    expect(() => copyInto(a, b)).toThrow("copy: out expected [2, 3], got [2, 4]");
    expect(() => mul(a, whole)).toThrow("mul: b expected f32 or f16, got i32");
    expect(() => tanh(deep)).toThrow(ShapeError);
    expect(() => guide(a.slice(0, 0, 1), 2)).toThrow("guide: model expected [2N, ...], got [1, 3]");
  });

  it("plans without a device", () => {
    const planner = gpu.planner();
    using x = empty(planner, [8, 8], "f32");
    using out = add(x, affine(x, 2));
    expect(out.shape).toEqual([8, 8]);
    expect(planner.work.dispatches).toBe(2);
  });
});
