// GPTQ's and AWQ's packed layers against their definition, w = scale · (code - zero), by plain loops.
import { describe, expect, it } from "vitest";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { float16ToFloat32, float32ToFloat16 } from "../../src/formats/dtype.ts";
import { FormatError } from "../../src/formats/errors.ts";
import { dequantizeBlocks } from "../../src/formats/ggml-blocks.ts";
import { packedLayoutOf, unpackWeights } from "../../src/formats/packed-weights.ts";
import { Checkpoint, type TensorFile, writeSafetensors } from "../../src/formats/safetensors.ts";
import { lcg } from "../kernels/values.ts";

const [INPUTS, OUTPUTS, GROUP] = [128, 24, 64];
const next = lcg(3);
const codes = Array.from({ length: OUTPUTS }, () => Array.from({ length: INPUTS }, () => Math.floor(16 * next())));
const zeros = Array.from({ length: OUTPUTS }, () => Array.from({ length: INPUTS / GROUP }, () => Math.floor(16 * next())));
const scales = float32ToFloat16(Float32Array.from({ length: (INPUTS / GROUP) * OUTPUTS }, () => 0.1 * next())); // [groups, outputs]
const expected = codes.flatMap((row, output) => row.map((code, input) => {
  const group = Math.floor(input / GROUP);
  return Math.fround(float16ToFloat32(scales)[group * OUTPUTS + output] * (code - zeros[output][group]));
}));

/** Words of eight nibbles, rows × cols of them. */
function words(rows: number, cols: number, nibble: (row: number, col: number, place: number) => number): Int32Array {
  return Int32Array.from({ length: rows * cols }, (_, i) => {
    let word = 0;
    for (let place = 0; place < 8; place++) word |= nibble(Math.floor(i / cols), i % cols, place) << (4 * place);
    return word;
  });
}

function open(qweight: Int32Array, shape: number[], qzeros: Int32Array, order?: Int32Array): Promise<TensorFile> {
  const bytes = (data: ArrayBufferView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Checkpoint.open(bytesSource("test", writeSafetensors({
    "a.qweight": { dtype: "I32", shape, data: bytes(qweight) },
    "a.qzeros": { dtype: "I32", shape: [INPUTS / GROUP, OUTPUTS / 8], data: bytes(qzeros) },
    "a.scales": { dtype: "F16", shape: [INPUTS / GROUP, OUTPUTS], data: bytes(scales) },
    "a.g_idx": { dtype: "I32", shape: [INPUTS], data: bytes(order ?? Int32Array.from({ length: INPUTS }, (_, i) => Math.floor(i / GROUP))) },
    "a.bias": { dtype: "F32", shape: [1], data: Float32Array.of(7) },
  })));
}

async function valuesOf(file: TensorFile): Promise<number[]> {
  const values: number[] = [];
  for await (const chunk of file.stream("a.weight", { chunkBytes: 100 })) values.push(...dequantizeBlocks("Q5_0", chunk));
  return values;
}

function layoutOf(quantization: Record<string, unknown>) {
  const { layout } = packedLayoutOf({ model_type: "llama", quantization_config: { bits: 4, group_size: GROUP, ...quantization } });
  if (!layout) throw new Error("a layout expected");
  return layout;
}

const gptqCodes = words(INPUTS / 8, OUTPUTS, (row, output, place) => codes[output][8 * row + place]);
const zeroWords = (order: readonly number[], shift: number) => words(INPUTS / GROUP, OUTPUTS / 8, (group, col, place) => (zeros[8 * col + order[place]][group] - shift) & 15);
const plain = [0, 1, 2, 3, 4, 5, 6, 7];
const interleaved = [0, 2, 4, 6, 1, 3, 5, 7];

describe("packed weights", () => {
  it.each([["gptq", 1], ["gptq_v2", 0]] as const)("%s equals its definition", async (checkpoint_format, shift) => {
    const file = unpackWeights(await open(gptqCodes, [INPUTS / 8, OUTPUTS], zeroWords(plain, shift)), layoutOf({ quant_method: "gptq", checkpoint_format, desc_act: false }));
    expect([...file.tensors.values()].map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([["a.bias", "F32", [1]], ["a.weight", "Q5_0", [OUTPUTS, INPUTS]]]);
    expect(await valuesOf(file)).toEqual(expected);
  });

  it("awq equals its definition", async () => {
    const qweight = words(INPUTS, OUTPUTS / 8, (input, col, place) => codes[8 * col + interleaved[place]][input]);
    const file = unpackWeights(await open(qweight, [INPUTS, OUTPUTS / 8], zeroWords(interleaved, 0)), layoutOf({ quant_method: "awq", version: "GEMM", zero_point: true }));
    expect(await valuesOf(file)).toEqual(expected);
  });

  it("refuses by name what it does not read", async () => {
    expect(() => layoutOf({ quant_method: "bitsandbytes" })).toThrow('quant_method "bitsandbytes" is not supported, gptq or awq expected');
    expect(() => layoutOf({ quant_method: "gptq", bits: 3 })).toThrow("bits 3 is not supported");
    expect(() => layoutOf({ quant_method: "gptq", desc_act: true })).toThrow("desc_act true is not supported");
    expect(() => layoutOf({ quant_method: "awq", version: "gemv" })).toThrow('version "gemv" is not supported');
    expect(() => layoutOf({ quant_method: "gptq", group_size: 48 })).toThrow(FormatError);
    expect(packedLayoutOf({ model_type: "llama" })).toEqual({ config: { model_type: "llama" }, layout: null });
    const layout = layoutOf({ quant_method: "gptq" });
    const shuffled = await open(gptqCodes, [INPUTS / 8, OUTPUTS], zeroWords(plain, 1), new Int32Array(INPUTS));
    await expect(valuesOf(unpackWeights(shuffled, layout))).rejects.toThrow("a.g_idx: input 64 is out of order");
    const thin = await open(gptqCodes.subarray(0, OUTPUTS * 8), [8, OUTPUTS], zeroWords(plain, 1));
    expect(() => unpackWeights(thin, layout)).toThrow("a.qzeros expected [1,3], got [2,3]");
  });
});
