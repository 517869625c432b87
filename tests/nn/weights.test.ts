// Weights: shapes stated where they are taken, every misfit listed, streamed through small buffers.
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { Checkpoint, writeSafetensors } from "../../src/formats/safetensors.ts";
import { openFile } from "../../src/hub/node.ts";
import { dequantize } from "../../src/kernels/quantized.ts";
import { packedMatrices, takeStack } from "../../src/nn/packed-matrices.ts";
import { CheckpointError, Weights } from "../../src/nn/weights.ts";
import { read, Tensor } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const floats = (n: number) => Float32Array.from({ length: n }, (_, i) => i);
const checkpoint = (tensors: Record<string, number[]>) => {
  const data = Object.entries(tensors).map(([name, shape]) => [name, { dtype: "F32" as const, shape, data: floats(shape.reduce((a, b) => a * b, 1)) }]);
  return Checkpoint.open(bytesSource("test", writeSafetensors(Object.fromEntries(data))));
};

describe("weights", () => {
  it("uploads rows as they are and convolutions channels last", async () => {
    const weights = Weights.of(gpu, await checkpoint({ "a.weight": [2, 3], "conv.weight": [2, 3, 2, 2] }), { name: "test", dtype: "f32" });
    const rows = weights.at("a").take("weight", [2, 3]);
    const conv = weights.at("conv").take("weight", [2, 3, 2, 2], { layout: "conv2d" });
    weights.finish();
    await weights.load();
    expect(await read(rows)).toEqual(floats(6));
    expect(conv.shape).toEqual([2, 2, 2, 3]);
    expect([...(await read(conv))].slice(0, 12)).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
    weights.dispose();
    expect(gpu.memoryUse.live).toBe(0);
  });

  it("lists what is missing, misshapen and left over, after renames", async () => {
    const weights = Weights.of(gpu.planner(), await checkpoint({ "old.query.weight": [4, 4], "b.weight": [3], "stray": [1], "position_ids": [1, 77] }), {
      name: "vae",
      dtype: "f32",
      renames: [[/^old\.query\./, "to_q."]],
      unused: [/position_ids$/],
    });
    weights.take("to_q.weight", [4, 4]);
    weights.take("b.weight", [5]);
    weights.take("c.weight", [2, 2]);
    expect(() => weights.finish()).toThrow(CheckpointError);
    expect(() => weights.finish()).toThrow(/vae: .*b\.weight expected \[5\], got \[3\]; missing c\.weight \[2, 2\]; not part of this network: stray$/);
  });

  it("takes other shapes of the same values where they are allowed", async () => {
    const weights = Weights.of(gpu.planner(), await checkpoint({ "to_q.weight": [4, 4, 1, 1] }), { name: "vae", dtype: "f32" });
    expect(weights.take("to_q.weight", [4, 4], { or: [[4, 4, 1, 1]] }).shape).toEqual([4, 4]);
    weights.finish();
  });

  it("stacks matrices of several names, plain or quantised", async () => {
    const file = await checkpoint({ "0.w": [2, 128], "1.w": [2, 128], "2.w": [2, 128] });
    const names = ["2.w", "0.w", "1.w"];
    const plain = Weights.of(gpu, file, { name: "experts", dtype: "f32" });
    const stack = takeStack(plain, names, [2, 128]);
    plain.finish();
    await plain.load();
    if (!(stack instanceof Tensor)) throw new Error("a plain stack expected");
    expect(stack.shape).toEqual([6, 128]);
    expect(await read(stack)).toEqual(Float32Array.of(...floats(256), ...floats(256), ...floats(256)));
    plain.dispose();

    const blocks = Weights.of(gpu, file, { name: "experts", dtype: "f32", matrices: packedMatrices, quantize: "q8" });
    const quantised = takeStack(blocks, names, [2, 128]);
    blocks.finish();
    await blocks.load();
    if (quantised instanceof Tensor) throw new Error("a quantised stack expected");
    const scope = gpu.scope();
    const decoded = scope.keep(dequantize(quantised, { start: 0, end: 6 }, "f32"));
    scope[Symbol.dispose]();
    (await read(decoded)).forEach((value, i) => expect(Math.abs(Number(value) - (i % 256))).toBeLessThan(1.1)); // a step is 255 / 127
    [decoded, blocks].forEach((owned) => owned.dispose());
    expect(gpu.memoryUse.live).toBe(0);

    const short = Weights.of(gpu.planner(), file, { name: "experts", dtype: "f32" });
    takeStack(short, ["0.w", "1.w", "3.w"], [2, 128]);
    expect(() => short.finish()).toThrow(/missing 3\.w \[2, 128\]; not part of this network: 2\.w/);
  });

  it("stops when aborted", async () => {
    const weights = Weights.of(gpu, await checkpoint({ a: [8] }), { name: "test", dtype: "f32" });
    weights.take("a", [8]);
    await expect(weights.load({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    weights.dispose();
  });

  it("loads 1 GB to the GPU while JavaScript's memory grows by less than 64 MiB", async () => {
    const folder = await mkdtemp(join(tmpdir(), "kiln-"));
    try {
      const path = join(folder, "large.safetensors");
      const shapes = { embedding: [65536, 2048], conv: [2048, 2048, 3, 3], dense: [32768, 11264] }; // f16
      await writeSparse(path, shapes);
      const source = await openFile(path);
      if (!source) throw new Error("the file was not written");
      const weights = Weights.of(gpu, await Checkpoint.open(source), { name: "large", dtype: "f16" });
      const [conv] = [weights.take("conv", shapes.conv, { layout: "conv2d" }), weights.take("embedding", shapes.embedding), weights.take("dense", shapes.dense)];
      weights.finish();
      expect(weights.storedBytes).toBeGreaterThan(1e9);
      globalThis.gc?.();
      const used = () => process.memoryUsage().heapUsed + process.memoryUsage().external;
      const before = used();
      let most = 0;
      await weights.load({ onProgress: () => (most = Math.max(most, used() - before)) });
      expect(conv.shape).toEqual([2048, 3, 3, 2048]);
      expect(most).toBeLessThan(64 * 2 ** 20);
      weights.dispose();
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 180_000);
});

/** A safetensors file of zeros in f16, as long as its header says, without writing the zeros. */
async function writeSparse(path: string, shapes: Record<string, readonly number[]>): Promise<void> {
  let end = 0;
  const entries = Object.entries(shapes).map(([name, shape]) => {
    const begin = end;
    end += 2 * shape.reduce((a, b) => a * b, 1);
    return [name, { dtype: "F16", shape, data_offsets: [begin, end] }];
  });
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const file = await open(path, "w");
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(header.length), true);
  await file.write(new Uint8Array(length.buffer));
  await file.write(header);
  await file.truncate(8 + header.length + end);
  await file.close();
}
