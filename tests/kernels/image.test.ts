// Pictures' bytes and unit values against plain loops.
import { afterAll, describe, expect, it } from "vitest";
import { toPixels, toUnit } from "../../src/kernels/image.ts";
import { empty, read } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, known, random } from "./values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

/** numpy's rounding: halves to even. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 ? floor + 1 : floor;
}

const unit = (x: number) => Math.min(Math.max(Math.fround(Math.fround(x / 2) + 0.5), 0), 1);

describe.each(dtypes)("toPixels, %s", (dtype) => {
  it("packs rounded bytes and an opaque alpha", async () => {
    const shape = [2, 7, 13, 3];
    const x = random(gpu, shape, dtype, 1, 1.4);
    using out = toPixels(x.tensor);
    expect(out.shape).toEqual([2, 7, 13]);
    const bytes = new Uint8Array((await read(out)).buffer);
    const expected = Array.from({ length: 2 * 7 * 13 * 4 }, (_, i) => (i % 4 === 3 ? 255 : roundHalfEven(Math.fround(255 * unit(x.values[Math.floor(i / 4) * 3 + (i % 4)])))));
    expect([...bytes]).toEqual(expected);
  });
});

describe("toPixels", () => {
  it("rounds halves to even", async () => {
    const halves = [0.5, 1.5, 2.5, 127.5, 128.5, 254.5].map((byte) => Math.fround((byte / 255) * 2 - 1));
    const exact = halves.filter((x) => Math.fround(255 * unit(x)) % 1 === 0.5);
    expect(exact.length).toBeGreaterThan(0);
    const x = known(gpu, halves, [1, 1, 2, 3], "f32");
    using out = toPixels(x.tensor);
    const bytes = new Uint8Array((await read(out)).buffer).filter((_, i) => i % 4 < 3);
    expect([...bytes]).toEqual(halves.map((value) => roundHalfEven(Math.fround(255 * unit(value)))));
  });
});

describe.each(dtypes)("toUnit, %s", (dtype) => {
  it("is f32 in 0 … 1", async () => {
    const x = random(gpu, [1, 5, 9, 3], dtype, 2, 1.4);
    using out = toUnit(x.tensor);
    expect(out.dtype).toBe("f32");
    await expectClose(out, x.values.map(unit), 1e-7);
  });
});

describe("refusals and plans", () => {
  it("names the operand and both shapes; plans without a device", () => {
    const planner = gpu.planner();
    using x = empty(planner, [1, 4, 4, 4], "f32");
    expect(() => toPixels(x)).toThrow("toPixels: x expected [*, *, *, 3], got [1, 4, 4, 4]");
    expect(() => toUnit(x)).toThrow("toUnit: x expected [*, *, *, 3], got [1, 4, 4, 4]");
    using rgb = empty(planner, [1, 4, 4, 3], "f32");
    using out = toPixels(rgb);
    expect(out.dtype).toBe("u32");
  });
});
