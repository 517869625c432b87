// Mutated safetensors files: whatever is done to the header, the result is a checkpoint or a FormatError, never another
// error, and what opens keeps its promises.
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { Checkpoint, FormatError, writeSafetensors } from "../../src/formats/safetensors.ts";
import { parseHeaderJson } from "../../src/formats/strict-json.ts";

const valid = writeSafetensors({
  "encoder.weight": { dtype: "F32", shape: [2, 3], data: new Float32Array(6) },
  "encoder.bias": { dtype: "F16", shape: [3], data: new Uint16Array(3) },
  mask: { dtype: "BOOL", shape: [4], data: new Uint8Array(4) },
}, { format: "pt" });

/** Opens a file and reads all of it. Resolves to whether it opened; rejects for anything but FormatError. */
async function survives(bytes: Uint8Array): Promise<boolean> {
  let checkpoint: Checkpoint;
  try {
    checkpoint = await Checkpoint.open(bytesSource("fuzz", bytes));
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
  let total = 0;
  for (const { name, byteLength } of checkpoint.tensors.values()) {
    let read = 0;
    try {
      for await (const chunk of checkpoint.stream(name, { chunkBytes: 5 })) read += chunk.byteLength;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error; // a type that is known and not supported
      read = byteLength;
    }
    expect(read).toBe(byteLength);
    total += byteLength;
  }
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  expect(8 + headerBytes + total).toBe(bytes.byteLength); // every byte belongs to one tensor
  return true;
}

test("bytes changed, taken out, put in, cut off", async () => {
  const position = fc.nat(valid.length - 1);
  const edit = fc.oneof(
    fc.record({ at: position, drop: fc.constant(1), put: fc.uint8Array({ minLength: 1, maxLength: 1 }) }),
    fc.record({ at: position, drop: fc.nat(20), put: fc.uint8Array({ maxLength: 20 }) }),
    fc.record({ at: position, drop: fc.constant(valid.length), put: fc.constant(new Uint8Array()) }),
    fc.record({ at: position, drop: fc.nat(2), put: fc.constantFrom("{", "}", "[", "]", ",", ":", '"', "\\", "0", "9", "-", "e", "null").map((text) => new TextEncoder().encode(text)) }),
  );
  await fc.assert(fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
    let bytes = valid;
    for (const { at, drop, put } of edits) bytes = Uint8Array.from([...bytes.subarray(0, at), ...put, ...bytes.subarray(at + drop)]);
    await survives(bytes);
  }), { numRuns: 3000 });
});

test("any JSON as the header, of the right length", async () => {
  const entry = fc.record({
    dtype: fc.oneof(fc.constantFrom("F32", "U8", "F4", "C64", "BOOL"), fc.string()),
    shape: fc.oneof(fc.array(fc.oneof(fc.nat(4), fc.maxSafeNat()), { maxLength: 4 }), fc.jsonValue()),
    data_offsets: fc.oneof(fc.tuple(fc.nat(20), fc.nat(20)), fc.jsonValue()),
  }, { requiredKeys: [] });
  const header = fc.oneof(fc.jsonValue(), fc.dictionary(fc.oneof(fc.constantFrom("__metadata__", "__proto__", "a"), fc.string()), fc.oneof(entry, fc.jsonValue())));
  await fc.assert(fc.asyncProperty(header, fc.nat(24), async (value, dataBytes) => {
    const json = new TextEncoder().encode(JSON.stringify(value));
    const bytes = new Uint8Array(8 + json.length + dataBytes);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
    bytes.set(json, 8);
    await survives(bytes);
  }), { numRuns: 2000 });
});

test("the valid file survives, and the header's JSON reads as JSON.parse reads it", async () => {
  expect(await survives(valid)).toBe(true);
  type Plain = string | number | Plain[] | { [name: string]: Plain };
  const { tree } = fc.letrec<{ tree: Plain }>((tie) => ({
    tree: fc.oneof({ maxDepth: 5 }, fc.string({ unit: "grapheme" }), fc.maxSafeNat(), fc.array(tie("tree")), fc.dictionary(fc.string(), tie("tree"))),
  }));
  const plain = (value: unknown): unknown => {
    if (value instanceof Map) return [...value].map(([name, item]) => [name, plain(item)]);
    return Array.isArray(value) ? value.map(plain) : typeof value === "object" && value !== null ? Object.entries(value).map(([name, item]) => [name, plain(item)]) : value;
  };
  const sorted = (value: unknown): string => JSON.stringify(value, (_, item: unknown) => (Array.isArray(item) ? [...item].sort() : item));
  fc.assert(fc.property(tree, fc.nat(2), (value, indent) => {
    const text = JSON.stringify(value, null, indent);
    expect(sorted(plain(parseHeaderJson(text)))).toBe(sorted(plain(JSON.parse(text))));
  }));
});
