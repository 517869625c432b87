// Activations against plain loops.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { activate, type Activation, ACTIVATIONS } from "../../src/kernels/activation.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, known, random, readFloats } from "./values.ts";
import { activation } from "./references.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];
const kinds = Object.keys(ACTIVATIONS) as Activation[];

describe.each(dtypes)("activate, %s", (dtype) => {
  it.each(kinds)("%s", async (kind) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 64, max: 700 }), fc.nat(), async (size, seed) => {
        const { tensor, values } = random(gpu, [size], dtype, seed, 8);
        using out = activate(tensor, kind);
        await expectClose(out, values.map((x) => activation(kind, x)), dtype === "f32" ? 1e-6 : 1e-3);
        tensor.dispose();
      }),
      { numRuns: 10 },
    );
  });
});

describe("activate", () => {
  it.each(kinds)("%s of very large inputs is finite", async (kind) => {
    const { tensor, values } = known(gpu, [-3e38, -1e5, -90, 0, 90, 1e5, 1e12], [7], "f32");
    using out = activate(tensor, kind);
    const expected = values.map((x) => activation(kind, x));
    const got = await readFloats(out);
    got.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(1e-6 * Math.abs(expected[i]) + 1e-35));
    tensor.dispose();
  });
});

describe("bands", () => {
  it("give what the whole gives", async () => {
    const small = await testGpu({ limits: { maxStorageBufferBindingSize: 4096 } });
    const outputs: ArrayLike<number>[][] = [];
    for (const on of [gpu, small]) {
      using x = random(on, [67, 96], "f32", 5).tensor;
      using activated = activate(x, "silu");
      outputs.push([await readFloats(activated)]);
    }
    expect(outputs[1]).toEqual(outputs[0]);
    small.destroy();
  });
});
