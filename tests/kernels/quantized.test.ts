// Quantised matrices against PyPI gguf's dequantisation (golden values made by tests/reference/ggml_blocks.py) and plain loops.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { type GgmlBlockType, ggmlBlocks } from "../../src/formats/ggml-blocks.ts";
import { Checkpoint } from "../../src/formats/safetensors.ts";
import type { Gpu } from "../../src/gpu/gpu.ts";
import { linear } from "../../src/kernels/linear.ts";
import { dequantize, embeddingQuantized, matvecQuantized, planeBands } from "../../src/kernels/quantized.ts";
import { QuantizedTensor } from "../../src/tensor/quantized.ts";
import { read, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, random } from "./values.ts";

const golden = await Checkpoint.open(bytesSource("golden", readFileSync(new URL("../reference/golden/ggml-blocks.safetensors", import.meta.url))));

async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const parts: number[] = [];
  for await (const chunk of golden.stream(name)) parts.push(...chunk);
  return Uint8Array.from(parts);
}

const floatsOf = async (name: string) => new Float32Array((await bytesOf(name)).buffer);

const gpu = await testGpu();
/** Binds less at once than a matrix of the tests has. */
const small = await testGpu({ limits: { maxStorageBufferBindingSize: 16384 } });
/** The variant for real GPUs, on this one. */
const hardware = Object.assign(await testGpu({ features: { subgroups: false } }), { traits: { software: false, subgroupSize: 0 } });
afterAll(() => [gpu, small, hardware].forEach((each) => each.destroy()));

const types = Object.keys(ggmlBlocks) as GgmlBlockType[];
const ROWS = 9;
const COLS = 512;

async function load(on: Gpu, type: GgmlBlockType): Promise<QuantizedTensor> {
  const weight = new QuantizedTensor(on, [ROWS, COLS], type);
  const bytes = await bytesOf(`${type}.blocks`);
  const half = (ggmlBlocks[type].bytes * 512) / ggmlBlocks[type].elements;
  weight.fill(0, bytes.subarray(0, half));
  weight.fill(512, bytes.subarray(half));
  return weight;
}

describe.each(types)("%s", (type) => {
  it("dequantises to gguf's values, its product is gguf's", async () => {
    using weight = await load(gpu, type);
    using values = dequantize(weight, { start: 0, end: ROWS }, "f32");
    await expectClose(values, await floatsOf(`${type}.values`), 1e-6);
    using x = upload(gpu, await floatsOf("x"), [3, COLS], "f32");
    using one = matvecQuantized(x.slice(0, 1, 2), weight);
    await expectClose(one, (await floatsOf(`${type}.product`)).subarray(ROWS, 2 * ROWS), 1e-5);
  });

  it("takes about the file's size", () => {
    using weight = new QuantizedTensor(gpu.planner(), [64, 1024], type);
    const stored = (64 * 1024 * ggmlBlocks[type].bytes) / ggmlBlocks[type].elements;
    expect(weight.bytes).toBeGreaterThanOrEqual(0.99 * stored);
    expect(weight.bytes).toBeLessThan(1.07 * stored);
    expect(weight.gpu.memoryUse.live).toBe(weight.bytes);
  });
});

describe("quantised matrices", () => {
  it.each(["Q4_K", "Q6_K"] as const)("equal gguf's product for several rows, by both ways: %s", async (type) => {
    using weight = await load(gpu, type);
    const expected = await floatsOf(`${type}.product`);
    using x = upload(gpu, await floatsOf("x"), [3, COLS], "f32");
    using few = linear(x, weight);
    expect(few.shape).toEqual([3, ROWS]);
    await expectClose(few, expected, 1e-5);
    using many = linear(x.broadcastTo([2, 3, COLS]), weight);
    await expectClose(many, [...expected, ...expected], 1e-5);
  });

  it("are read in bands past the binding limit", async () => {
    const rows = 600;
    const bytes = Uint8Array.from({ length: rows * 36 }, (_, i) => (i % 18 === 1 ? 0x20 : (i * 7919) % 251)); // 2 blocks of Q4_0 a row, scales near 0.01
    const outputs: Float32Array[] = [];
    for (const on of [gpu, small]) {
      using weight = new QuantizedTensor(on, [rows, 64], "Q4_0");
      weight.fill(0, bytes);
      expect(planeBands(weight, 0).length).toBe(on === small ? 2 : 1);
      const ids = upload(on, Int32Array.of(0, 599, 300, -1, 600), [5], "i32");
      const x = random(on, [1, 64], "f32", 3).tensor;
      for (const out of [matvecQuantized(x, weight), embeddingQuantized(ids, weight, "f32"), linear(random(on, [12, 64], "f32", 4).tensor, weight, { bias: random(on, [rows], "f32", 5).tensor, residual: random(on, [12, rows], "f32", 6).tensor })]) outputs.push((await read(out)) as Float32Array);
    }
    for (let i = 0; i < 3; i++) expect(outputs[3 + i]).toEqual(outputs[i]);
    expect([...outputs[1].subarray(3 * 64)]).toEqual(new Array(2 * 64).fill(0));
  });

  it.each([["gpu", gpu], ["hardware", hardware]] as const)("equal the plain product with bias, activation, residual: %s", async (_, on) => {
    const cases = fc.record({ rows: fc.constantFrom(1, 2), cols: fc.integer({ min: 1, max: 70 }), blocks: fc.integer({ min: 1, max: 19 }), seed: fc.nat() });
    await fc.assert(
      fc.asyncProperty(cases, async ({ rows, cols, blocks, seed }) => {
        const terms = 32 * blocks;
        using weight = new QuantizedTensor(on, [cols, terms], "Q8_0");
        const next = random(on.planner(), [cols * blocks * 34], "f32", seed).values;
        weight.fill(0, Uint8Array.from(next, (value, i) => (i % 34 === 0 ? 0 : i % 34 === 1 ? 0x1c : 128 + 127 * value)));
        using plain = dequantize(weight, { start: 0, end: cols }, "f32");
        const x = random(on, [rows, terms], "f32", seed + 1);
        const bias = random(on, [cols], "f32", seed + 2);
        const residual = random(on, [rows, cols], "f32", seed + 3);
        const matrix = await read(plain);
        using out = linear(x.tensor, weight, { bias: bias.tensor, residual: residual.tensor, activation: "relu" });
        await expectClose(out, Float64Array.from({ length: out.size }, (_, i) => {
          let sum = bias.values[i % cols];
          for (let k = 0; k < terms; k++) sum += x.values[Math.floor(i / cols) * terms + k] * matrix[(i % cols) * terms + k];
          return Math.max(0, sum) + residual.values[i];
        }));
        for (const { tensor } of [x, bias, residual]) tensor.dispose();
      }),
      { numRuns: 10 },
    );
  });

  it.skipIf(!gpu.features.f16)("multiply f16 activations and give f16 rows", async () => {
    using weight = await load(gpu, "Q5_0");
    const x = random(gpu, [6, COLS], "f16", 9);
    const values = await floatsOf("Q5_0.values");
    const expected = Float64Array.from({ length: 6 * ROWS }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < COLS; k++) sum += x.values[Math.floor(i / ROWS) * COLS + k] * values[(i % ROWS) * COLS + k];
      return sum;
    });
    using one = linear(x.tensor.slice(0, 0, 1), weight, { dtype: "f32" });
    await expectClose(one, expected.subarray(0, ROWS));
    using many = linear(x.tensor, weight);
    expect(many.dtype).toBe("f16");
    await expectClose(many, expected);
    using ids = upload(gpu, Int32Array.of(8), [1], "i32");
    using row = embeddingQuantized(ids, weight, "f16");
    await expectClose(row, values.subarray(8 * COLS), 1e-3);
  });

  it("refuse rows that are no whole blocks", () => {
    expect(() => new QuantizedTensor(gpu.planner(), [4, 96], "Q4_K", "a.weight")).toThrow("a.weight: Q4_K expected rows of a multiple of 256, got [4, 96]");
  });
});
