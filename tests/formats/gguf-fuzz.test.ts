// Mutated GGUF files: whatever is done to one, the result is a file or a FormatError, never another error, never a hang, and
// never more memory than the file has bytes; what opens keeps its promises.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { type Gguf, openGguf } from "../../src/formats/gguf.ts";
import { modelOfGguf } from "../../src/formats/gguf-model.ts";
import { FormatError } from "../../src/formats/safetensors.ts";
import { array, bool, f32, float, gguf, join, string, text, u64, u8, uint } from "./gguf-writer.ts";

const valid = gguf({
  metadata: [
    ["general.architecture", string("llama")], ["general.alignment", uint(32)], ["llama.rope.freq_base", float(10_000)],
    ["tokens", array(8, [text("a"), text("é"), text("")])], ["scores", array(6, [f32(1), f32(2)])], ["flags", array(7, [u8(1)])], ["flag", bool(1)], ["large", [10, u64(3)]],
  ],
  tensors: [{ name: "a", dimensions: [32, 2], type: 8, offset: 0 }, { name: "b.weight", dimensions: [3], type: 0, offset: 96 }, { name: "c", dimensions: [1], type: 0, offset: 128 }],
  data: 132,
});
const headerBytes = valid.length - 132;

/** Opens a file and reads all of it. Resolves to whether it opened; rejects for anything but FormatError. */
async function survives(bytes: Uint8Array): Promise<boolean> {
  let file: Gguf;
  try {
    file = await openGguf(bytesSource("fuzz", bytes));
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
  let total = 0;
  for (const { name, byteLength } of file.checkpoint.tensors.values()) {
    let read = 0;
    for await (const chunk of file.checkpoint.stream(name, { chunkBytes: 64 })) read += chunk.byteLength;
    if (read !== byteLength) expect(read).toBe(byteLength);
    total += read;
  }
  expect(total).toBeLessThanOrEqual(bytes.byteLength);
  return true;
}

/** Numbers that counts, lengths and offsets are likely to be wrong by. */
const spiteful = fc.constantFrom(0n, 1n, 2n, 31n, 33n, 255n, 2n ** 16n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 60n, 2n ** 63n, 2n ** 64n - 1n);
const position = fc.nat(headerBytes - 1);
const edit = fc.oneof(
  fc.record({ at: position, drop: fc.constant(1), put: fc.uint8Array({ minLength: 1, maxLength: 1 }) }),
  fc.record({ at: position, drop: fc.constant(8), put: spiteful.map(u64) }),
  fc.record({ at: position, drop: fc.constant(4), put: spiteful.map((value) => u64(value).subarray(0, 4)) }),
  fc.record({ at: position, drop: fc.nat(20), put: fc.uint8Array({ maxLength: 20 }) }),
  fc.record({ at: fc.nat(valid.length - 1), drop: fc.constant(valid.length), put: fc.constant(new Uint8Array()) }),
);

function edited(bytes: Uint8Array, edits: readonly { at: number; drop: number; put: Uint8Array }[]): Uint8Array<ArrayBuffer> {
  return edits.reduce((file, { at, drop, put }) => join(file.subarray(0, at), put, file.subarray(at + drop)), join(bytes));
}

test("10,000 headers changed, cut off, grown, with lengths that lie", { timeout: 60_000 }, async () => {
  expect(await survives(valid)).toBe(true);
  const before = process.memoryUsage().arrayBuffers;
  await fc.assert(fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
    await survives(edited(valid, edits));
  }), { numRuns: 10_000 });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(256 * 2 ** 20);
});

test("a real model with a changed header becomes another model or a FormatError", { timeout: 60_000 }, async () => {
  const bytes = new Uint8Array(readFileSync(new URL("../reference/golden/gguf/qwen3moe.gguf", import.meta.url)));
  const metadataBytes = 1400; // the network's keys come first
  const at = fc.integer({ min: 24, max: metadataBytes });
  const change = fc.oneof(
    fc.record({ at, drop: fc.constant(1), put: fc.uint8Array({ minLength: 1, maxLength: 1 }) }),
    fc.record({ at, drop: fc.constant(4), put: spiteful.map((value) => u64(value).subarray(0, 4)) }),
  );
  let opened = 0;
  await fc.assert(fc.asyncProperty(change, async (edit) => {
    try {
      const model = await modelOfGguf(await openGguf(bytesSource("fuzz", edited(bytes, [edit]))));
      JSON.stringify([model.config, model.generationConfig]);
      opened++;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }), { numRuns: 500 });
  expect(opened).toBeGreaterThan(0);
});
