// Quantised blocks against PyPI's gguf (tests/reference/gguf_files.py): random bytes, the same f32 to the bit.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { decodeStored, dequantizeBlocks, type GgmlBlockType, ggmlBlocks, isBlockType } from "../../src/formats/ggml-blocks.ts";
import { Checkpoint, FormatError } from "../../src/formats/safetensors.ts";

const golden = await Checkpoint.open(bytesSource("blocks.safetensors", new Uint8Array(readFileSync(new URL("../reference/golden/gguf/blocks.safetensors", import.meta.url)))));

async function bytesOf(name: string): Promise<Uint8Array> {
  for await (const chunk of golden.stream(name)) return chunk.slice();
  throw new Error(`${name} is empty`);
}

const types = Object.keys(ggmlBlocks).filter(isBlockType);

/** Bit patterns, one for every NaN. */
function bits(values: Float32Array): number[] {
  return Array.from(new Uint32Array(values.slice().buffer), (pattern, i) => (Number.isNaN(values[i]) ? 0x7fc0_0000 : pattern));
}

describe("24 blocks, half of them with scales as models have them, as PyPI's gguf", () => {
  test.each(types)("%s", async (type) => {
    const blocks = await bytesOf(`${type}.blocks`);
    const expected = new Float32Array((await bytesOf(`${type}.values`)).buffer);
    const { elements, bytes } = ggmlBlocks[type];
    expect([blocks.byteLength, expected.length]).toEqual([24 * bytes, 24 * elements]);
    expect(bits(dequantizeBlocks(type, blocks))).toEqual(bits(expected));
    expect(expected.filter(Number.isFinite).length).toBeGreaterThan(12 * elements - 1);
  });
});

test("floats count as blocks of one, and part of a block is an error", () => {
  const values = Float32Array.of(1.5, -2);
  expect([...dequantizeBlocks("F32", new Uint8Array(values.buffer))]).toEqual([1.5, -2]);
  expect([...dequantizeBlocks("F16", Uint8Array.of(0, 0x3c))]).toEqual([1]);
  expect([...dequantizeBlocks("BF16", Uint8Array.of(0x80, 0x3f))]).toEqual([1]);
  for (const type of types) expect(() => dequantizeBlocks(type, new Uint8Array(ggmlBlocks[type].bytes + 1))).toThrow(FormatError);
});

test("blocks become f16 by rounding their values", () => {
  const block = new Uint8Array(34).fill(127, 2); // 127 · 2^−4
  new DataView(block.buffer).setUint16(0, 0x2c00, true);
  const type: GgmlBlockType = "Q8_0";
  expect(new Set(decodeStored(type, block, "f32"))).toEqual(new Set([127 / 16]));
  expect(new Set(decodeStored(type, block, "f16"))).toEqual(new Set([0x47f0])); // 7.9375 = 2^2 · (1 + 1008/1024)
});
