// Table look-ups against plain loops.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { embedding } from "../../src/kernels/embedding.ts";
import { empty, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, lcg, random } from "./values.ts";

const gpu = await testGpu();
const small = await testGpu({ limits: { maxStorageBufferBindingSize: 4096 } });
afterAll(() => [gpu, small].forEach((each) => each.destroy()));
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

describe.each(dtypes)("embedding, %s", (dtype) => {
  it("equals the reference, in bands of the table too", async () => {
    const cases = fc.record({ rows: fc.integer({ min: 1, max: 90 }), cols: fc.integer({ min: 1, max: 40 }), batch: fc.integer({ min: 1, max: 3 }), tokens: fc.integer({ min: 1, max: 8 }), seed: fc.nat(), banded: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(cases, async ({ rows, cols, batch, tokens, seed, banded }) => {
        const device = banded ? small : gpu;
        const table = random(device, [rows, cols], dtype, seed);
        const next = lcg(seed + 1);
        const numbers = Int32Array.from({ length: batch * tokens }, () => Math.floor(next() * rows));
        using ids = upload(device, numbers, [batch, tokens], "i32");
        using out = embedding(ids, table.tensor);
        expect(out.shape).toEqual([batch, tokens, cols]);
        await expectClose(out, Float64Array.from({ length: out.size }, (_, i) => table.values[numbers[Math.floor(i / cols)] * cols + (i % cols)]), 0);
        table.tensor.dispose();
      }),
      { numRuns: 20 },
    );
  });
});

describe("embedding", () => {
  it("gives zeros for ids outside the table", async () => {
    const table = random(small, [200, 7], "f32", 1);
    using ids = upload(small, Int32Array.of(-1, 199, 200, 2 ** 31 - 1), [4], "i32");
    using out = embedding(ids, table.tensor);
    await expectClose(out, Float64Array.from({ length: 28 }, (_, i) => (i >= 7 && i < 14 ? table.values[199 * 7 + i - 7] : 0)), 0);
  });

  it("names the operand that does not fit, and plans without a device", () => {
    const planner = gpu.planner();
    using ids = empty(planner, [2, 3], "i32");
    using table = empty(planner, [10, 4], "f32");
    expect(() => embedding(table, table)).toThrow("embedding: ids expected i32 [10, 4], got f32");
    expect(() => embedding(ids, ids.slice(0, 0, 1).reshape([3]))).toThrow("embedding: table expected [*, *], got [3]");
    using out = embedding(ids, table);
    expect(out.shape).toEqual([2, 3, 4]);
  });
});
