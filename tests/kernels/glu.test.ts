// Gated linear units against plain loops.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Activation } from "../../src/kernels/activation.ts";
import { geglu, glu, gluOfHalves } from "../../src/kernels/glu.ts";
import { testGpu } from "../gpu.ts";
import { activation } from "./references.ts";
import { expectClose, type Float, random, readFloats } from "./values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

describe.each(dtypes)("glu, %s", (dtype) => {
  it.each<Activation>(["silu", "gelu-tanh"])("%s gates another tensor, or the other half of the same", async (kind) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 70 }), fc.nat(), async (rows, width, seed) => {
        const value = random(gpu, [2, rows, width], dtype, seed, 4);
        const gate = random(gpu, [2, rows, width], dtype, seed + 1, 4);
        const expected = value.values.map((x, i) => x * activation(kind, gate.values[i]));
        using out = glu(value.tensor, gate.tensor, kind);
        expect(out.shape).toEqual([2, rows, width]);
        await expectClose(out, expected);
        const fused = random(gpu, [rows, 2 * width], dtype, seed + 2, 4);
        using half = gluOfHalves(fused.tensor, kind);
        const at = (i: number) => Math.floor(i / width) * 2 * width + (i % width);
        await expectClose(half, Float64Array.from({ length: rows * width }, (_, i) => activation(kind, fused.values[at(i)]) * fused.values[at(i) + width]));
        for (const { tensor } of [value, gate, fused]) tensor.dispose();
      }),
      { numRuns: 6 },
    );
  });

  it("refuses tensors that differ", () => {
    using value = random(gpu, [2, 4], dtype, 1).tensor;
    using gate = random(gpu, [2, 3], dtype, 1).tensor;
    expect(() => glu(value, gate, "silu")).toThrow("glu: gate expected [2, 4], got [2, 3]");
  });
});

describe.each(dtypes)("geglu, %s", (dtype) => {
  it("equals the reference, also on views", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 70 }), fc.nat(), async (rows, half, seed) => {
        const { tensor, values } = random(gpu, [rows + 1, 2 * half], dtype, seed, 4);
        const expected = new Float64Array(rows * half);
        for (let r = 0; r < rows; r++) {
          for (let i = 0; i < half; i++) {
            const row = (r + 1) * 2 * half;
            expected[r * half + i] = values[row + i] * activation("gelu", values[row + half + i]);
          }
        }
        using view = tensor.slice(0, 1, rows + 1);
        using out = geglu(view);
        await expectClose(out, expected);
        tensor.dispose();
      }),
      { numRuns: 10 },
    );
  });

  it("refuses an odd last axis", () => {
    using x = random(gpu, [2, 3], dtype, 1).tensor;
    expect(() => geglu(x)).toThrow("geglu: x expected an even last axis, got [2, 3]");
  });
});

it("gives in bands what the whole gives", async () => {
  const small = await testGpu({ limits: { maxStorageBufferBindingSize: 4096 } });
  const outputs: ArrayLike<number>[] = [];
  for (const on of [gpu, small]) {
    using x = random(on, [67, 96], "f32", 5).tensor;
    using gated = geglu(x);
    outputs.push(await readFloats(gated));
  }
  expect(outputs[1]).toEqual(outputs[0]);
  small.destroy();
});
