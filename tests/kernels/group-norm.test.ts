// Group norm against plain loops in f64: shapes, views, modulation, large means, bands.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { groupNorm } from "../../src/kernels/group-norm.ts";
import { sizeOf, type Shape } from "../../src/tensor/shape.ts";
import { empty, read, type Tensor } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { activation } from "./references.ts";
import { expectClose, type Float, known, lcg, random } from "./values.ts";

const gpu = await testGpu();
const small = await testGpu({ limits: { maxStorageBufferBindingSize: 65536 } });
afterAll(() => [gpu, small].forEach((each) => each.destroy()));
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

interface Reference {
  readonly groups: number;
  readonly eps: number;
  readonly weight: Float64Array;
  readonly bias: Float64Array;
  readonly silu?: boolean;
  readonly scale?: Float64Array;
  readonly shift?: Float64Array;
}

/** x [N, R, C] */
function reference(x: Float64Array, [samples, rows, channels]: Shape, { groups, eps, weight, bias, silu, scale, shift }: Reference): Float64Array {
  const out = new Float64Array(x.length);
  const own = channels / groups;
  for (let n = 0; n < samples; n++) {
    for (let group = 0; group < groups; group++) {
      const places: number[] = [];
      for (let row = 0; row < rows; row++) for (let c = group * own; c < (group + 1) * own; c++) places.push((n * rows + row) * channels + c);
      const mean = places.reduce((sum, at) => sum + x[at], 0) / places.length;
      const variance = places.reduce((sum, at) => sum + (x[at] - mean) ** 2, 0) / places.length;
      for (const at of places) {
        const c = at % channels;
        let y = ((x[at] - mean) / Math.sqrt(variance + eps)) * weight[c] + bias[c];
        if (scale && shift) y = y * (1 + scale[n * channels + c]) + shift[n * channels + c];
        out[at] = silu ? activation("silu", y) : y;
      }
    }
  }
  return out;
}

const shapes = fc.record({
  samples: fc.integer({ min: 1, max: 3 }),
  height: fc.integer({ min: 1, max: 9 }),
  width: fc.integer({ min: 1, max: 9 }),
  groups: fc.integer({ min: 1, max: 8 }),
  own: fc.integer({ min: 1, max: 11 }),
  seed: fc.nat(),
  silu: fc.boolean(),
  modulated: fc.boolean(),
});

describe.each(dtypes)("groupNorm, %s", (dtype) => {
  it("equals the reference", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async ({ samples, height, width, groups, own, seed, silu, modulated }) => {
        const channels = groups * own;
        const x = random(gpu, [samples, height, width, channels], dtype, seed, 3);
        const weight = random(gpu, [channels], dtype, seed + 1);
        const bias = random(gpu, [channels], dtype, seed + 2);
        // Both halves of a projection, as views of it.
        const film = random(gpu, [samples, 2 * channels], dtype, seed + 3);
        const half = (first: number) => film.values.filter((_, i) => Math.floor(i / channels) % 2 === first);
        const modulation = modulated ? { scale: film.tensor.slice(1, 0, channels), shift: film.tensor.slice(1, channels, 2 * channels) } : {};
        // A group of equal values is a difference of rounding errors if eps is tiny.
        using out = groupNorm(x.tensor, weight.tensor, bias.tensor, { groups, eps: 1e-3, activation: silu ? "silu" : "none", ...modulation });
        expect(out.shape).toEqual(x.tensor.shape);
        const extra = modulated ? { scale: half(0), shift: half(1) } : {};
        await expectClose(out, reference(x.values, [samples, height * width, channels], { groups, eps: 1e-3, weight: weight.values, bias: bias.values, silu, ...extra }));
        [x, weight, bias, film].forEach(({ tensor }) => tensor.dispose());
      }),
      { numRuns: 25 },
    );
  });
});

/** x of the given values, its norm on the GPU and by the reference, with affine 1 and 0. */
async function check(device: typeof gpu, values: ArrayLike<number>, shape: Shape, groups: number, dtype: Float, tolerance?: number): Promise<void> {
  const channels = shape[shape.length - 1];
  const x = known(device, values, shape, dtype);
  const weight = random(device, [channels], "f32", 1);
  const bias = random(device, [channels], "f32", 2);
  using out = groupNorm(x.tensor, weight.tensor, bias.tensor, { groups, eps: 1e-6, activation: "silu" });
  const rows = sizeOf(shape) / shape[0] / channels;
  await expectClose(out, reference(x.values, [shape[0], rows, channels], { groups, eps: 1e-6, weight: weight.values, bias: bias.values, silu: true }), tolerance);
  [x, weight, bias].forEach(({ tensor }) => tensor.dispose());
}

describe("groupNorm of activations near 1e5", () => {
  const noise = (size: number, at: (i: number) => number) => {
    const next = lcg(7);
    return Float64Array.from({ length: size }, (_, i) => at(i) + 2 * next() - 1);
  };

  it("has a small variance right", () => check(gpu, noise(2 * 33 * 32 * 24, () => 1e5), [2, 33, 32, 24], 4, "f32"));
  it("has it right when each channel is somewhere else", () => check(gpu, noise(40 * 40 * 24, (i) => 1e5 + 300 * (i % 24)), [1, 40, 40, 24], 12, "f32"));
  it("has it right when the first value is far from the others", () => check(gpu, noise(40 * 40 * 8, (i) => (i % 4 || i > 8 ? 1e5 : -1e5)), [1, 40, 40, 8], 2, "f32"));
  it("has values that grow from near 0 to 1e5 right", () => check(gpu, noise(40 * 40 * 8, (i) => i * 8), [1, 40, 40, 8], 2, "f32"));
  it.runIf(gpu.features.f16)("has f16 values near its end right", () => check(gpu, noise(24 * 24 * 16, (i) => 60000 + 64 * (i % 7)), [1, 24, 24, 16], 4, "f16"));
});

describe("groupNorm past the binding limit", () => {
  it("equals the whole", async () => {
    const shape = [2, 61, 43, 24]; // 250 KiB a sample
    const run = async (device: typeof gpu): Promise<Float32Array> => {
      const x = random(device, shape, "f32", 5, 3);
      const weight = random(device, [24], "f32", 6);
      const bias = random(device, [24], "f32", 7);
      const film = random(device, [2, 48], "f32", 8);
      const before = device.work.dispatches;
      using out = groupNorm(x.tensor, weight.tensor, bias.tensor, { groups: 8, eps: 1e-6, activation: "silu", scale: film.tensor.slice(1, 0, 24), shift: film.tensor.slice(1, 24, 48) });
      expect(device.work.dispatches - before > 3).toBe(device === small);
      return Float32Array.from(await read(out));
    };
    expect(await run(small)).toEqual(await run(gpu));
  });

  it("equals the reference, in f16 and at odd sizes too", async () => {
    for (const dtype of dtypes) await check(small, Float64Array.from({ length: 83 * 59 * 20 }, lcg(9)), [1, 83, 59, 20], 5, dtype);
  });
});

describe("refusals and plans", () => {
  const make = (shape: Shape): Tensor => empty(gpu, shape, "f32");
  it("names the operation, the operand and both shapes", () => {
    using _made = gpu.scope();
    const x = make([1, 2, 2, 12]);
    const w = make([12]);
    expect(() => groupNorm(make([4]), w, w, { groups: 4, eps: 0 })).toThrow("groupNorm: x expected [N, ..., C], got [4]");
    expect(() => groupNorm(x, make([8]), w, { groups: 4, eps: 0 })).toThrow("groupNorm: weight expected [12], got [8]");
    expect(() => groupNorm(x, w, make([8]), { groups: 4, eps: 0 })).toThrow("groupNorm: bias expected [12], got [8]");
    expect(() => groupNorm(x, w, w, { groups: 5, eps: 0 })).toThrow("groupNorm: 5 groups of 12 channels (x is [1, 2, 2, 12])");
    expect(() => groupNorm(x, w, w, { groups: 4, eps: 0, scale: make([2, 12]), shift: make([1, 12]) })).toThrow("groupNorm: scale expected [1, 12], got [2, 12]");
    expect(() => groupNorm(x, w, w, { groups: 4, eps: 0, scale: make([1, 12]) })).toThrow("groupNorm: shift is missing");
  });

  it("plans without a device", () => {
    const planner = gpu.planner();
    using x = empty(planner, [1, 8, 8, 12], "f32");
    using w = empty(planner, [12], "f32");
    using out = groupNorm(x, w, w, { groups: 4, eps: 1e-5 });
    expect(out.shape).toEqual([1, 8, 8, 12]);
    expect(planner.work.dispatches).toBe(3);
  });
});
