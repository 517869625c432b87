// Weights kept in blocks: as stored, or quantised at load, read by Linear and Embedding.
import { afterAll, describe, expect, it } from "vitest";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { dequantizeBlocks } from "../../src/formats/ggml-blocks.ts";
import { quantizeBlocks } from "../../src/formats/ggml-quantize.ts";
import { Checkpoint, type TensorEntry, writeSafetensors } from "../../src/formats/safetensors.ts";
import { Embedding } from "../../src/nn/embedding.ts";
import { Linear } from "../../src/nn/linear.ts";
import { packedMatrices } from "../../src/nn/packed-matrices.ts";
import { Weights } from "../../src/nn/weights.ts";
import { QuantizedTensor } from "../../src/tensor/quantized.ts";
import { upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, lcg } from "../kernels/values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const [ROWS, COLS] = [37, 96];
const floats = (n: number, seed: number) => {
  const next = lcg(seed);
  return Float32Array.from({ length: n }, () => 2 * next() - 1);
};
const stored = { matrix: floats(ROWS * COLS, 1), bias: floats(ROWS, 2), x: floats(COLS, 3) };

function product(matrix: Float32Array): Float64Array {
  return Float64Array.from({ length: ROWS }, (_, row) => matrix.subarray(row * COLS, (row + 1) * COLS).reduce((sum, weight, k) => sum + weight * stored.x[k], 0));
}

/** Blocks as a GGUF file gives them, whole ones a chunk. */
function blocksFile(bytes: Uint8Array): Parameters<typeof Weights.of>[1] {
  const entry: TensorEntry = { name: "weight", dtype: "Q8_0", shape: [ROWS, COLS], byteLength: bytes.length };
  return {
    tensors: new Map([["weight", entry]]),
    async *stream(_, { chunkBytes = bytes.length } = {}) {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

describe("quantised weights", () => {
  it.each([["q8", "Q8_0"], ["q4", "Q4_1"]] as const)("%s at load: matrices become %s, all else stays", async (quantize, type) => {
    const file = writeSafetensors({
      weight: { dtype: "F32", shape: [ROWS, COLS], data: stored.matrix }, bias: { dtype: "F32", shape: [ROWS], data: stored.bias },
      "odd.weight": { dtype: "F32", shape: [2, 40], data: floats(80, 4) },
    });
    const weights = Weights.of(gpu, await Checkpoint.open(bytesSource("test", file)), { name: "test", dtype: "f32", matrices: packedMatrices, quantize });
    const layer = new Linear(weights, COLS, ROWS);
    const odd = new Linear(weights.at("odd"), 40, 2, { bias: false });
    weights.finish();
    await weights.load();
    expect(layer.weight instanceof QuantizedTensor && layer.weight.type).toBe(type);
    expect([layer.bias, odd.weight].map((weight) => weight instanceof QuantizedTensor)).toEqual([false, false]);
    using x = upload(gpu, stored.x, [1, COLS], "f32");
    using y = layer.forward(x);
    const matrix = dequantizeBlocks(type, quantizeBlocks(type, stored.matrix));
    await expectClose(y, product(matrix).map((value, i) => value + stored.bias[i]), 1e-5);
    weights.dispose();
  });

  it("stored blocks stay blocks, in linear layers and in an embedding that is the head, too", async () => {
    const bytes = quantizeBlocks("Q8_0", stored.matrix);
    const matrix = dequantizeBlocks("Q8_0", bytes);
    const weights = Weights.of(gpu, blocksFile(bytes), { name: "test", dtype: "f32", matrices: packedMatrices });
    const table = new Embedding(weights, ROWS, COLS);
    weights.finish();
    await weights.load();
    expect(table.weight instanceof QuantizedTensor).toBe(true);
    using ids = upload(gpu, Int32Array.of(36, 0), [1, 2], "i32");
    using rows = table.forward(ids);
    await expectClose(rows, [...matrix.subarray(36 * COLS), ...matrix.subarray(0, COLS)], 1e-6);
    using x = upload(gpu, stored.x, [1, COLS], "f32");
    using scores = table.scores(x, { dtype: "f32" });
    await expectClose(scores, product(matrix), 1e-5);
    weights.dispose();
  });

  it("are refused where matrices are plain numbers", async () => {
    const file = blocksFile(quantizeBlocks("Q8_0", stored.matrix));
    expect(() => Weights.of(gpu, file, { name: "unet", dtype: "f32", quantize: "q8" })).toThrow("unet: this network is not quantised: its matrices are plain numbers");
    const weights = Weights.of(gpu, file, { name: "unet", dtype: "f32" });
    weights.takeMatrix("weight", [ROWS, COLS]);
    await expect(weights.load()).rejects.toThrow("unet: weight is stored in blocks of Q8_0: weights as plain numbers expected");
    weights.dispose();
  });

  it("plain numbers where blocks are taken as a plain tensor", async () => {
    const bytes = quantizeBlocks("Q8_0", stored.matrix);
    const weights = Weights.of(gpu, blocksFile(bytes), { name: "test", dtype: "f32", matrices: packedMatrices });
    const plain = weights.take("weight", [ROWS, COLS]);
    weights.finish();
    await weights.load();
    await expectClose(plain, dequantizeBlocks("Q8_0", bytes), 0);
    weights.dispose();
  });
});
