// Reading and writing safetensors: what the writer writes comes back, and a header that lies is refused by name.
import { describe, expect, test } from "vitest";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { Checkpoint, FormatError, type StoredDtype, writeSafetensors } from "../../src/formats/safetensors.ts";

/** A file with this header (as text or to be written as JSON) and this many bytes of data. */
function file(header: unknown, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const open = (bytes: Uint8Array) => Checkpoint.open(bytesSource("test.safetensors", bytes));

async function bytesOf(checkpoint: Checkpoint, name: string, chunkBytes?: number): Promise<number[]> {
  const all: number[] = [];
  for await (const chunk of checkpoint.stream(name, { chunkBytes })) all.push(...chunk);
  return all;
}

const u8 = (begin: number, end: number) => ({ dtype: "U8", shape: [end - begin], data_offsets: [begin, end] });

describe("writeSafetensors", () => {
  test("what is written is read back, whatever the names", async () => {
    const values = new Float32Array([1, -2, 3.5, 4, 5, 6]);
    const bytes = writeSafetensors({
      bytes: { dtype: "U8", shape: [3], data: new Uint8Array([7, 8, 9]) },
      "a.weight": { dtype: "F32", shape: [2, 3], data: values },
      ["__proto__"]: { dtype: "I64", shape: [], data: new BigInt64Array([-1n]) },
      empty: { dtype: "F16", shape: [0, 4], data: new Uint16Array() },
    }, { format: "pt" });
    const checkpoint = await open(bytes);
    expect([...checkpoint.tensors.keys()].sort()).toEqual(["__proto__", "a.weight", "bytes", "empty"]);
    expect(checkpoint.tensors.get("a.weight")).toMatchObject({ dtype: "F32", shape: [2, 3], byteLength: 24 });
    expect(checkpoint.metadata).toEqual({ format: "pt" });
    expect(await bytesOf(checkpoint, "a.weight")).toEqual([...new Uint8Array(values.buffer)]);
    expect(await bytesOf(checkpoint, "__proto__")).toEqual(new Array(8).fill(255));
    expect(await bytesOf(checkpoint, "empty")).toEqual([]);
  });

  test("refuses data of another size than its shape", () => {
    expect(() => writeSafetensors({ a: { dtype: "F32", shape: [3], data: new Float32Array(2) } })).toThrow('"a": [3] of F32 takes 12 bytes, its data has 8');
  });
});

describe("Checkpoint.stream", () => {
  test("yields whole elements in chunks of at most chunkBytes", async () => {
    const checkpoint = await open(writeSafetensors({ a: { dtype: "F32", shape: [5], data: new Float32Array(5) } }));
    const sizes: number[] = [];
    for await (const chunk of checkpoint.stream("a", { chunkBytes: 10 })) sizes.push(chunk.byteLength);
    expect(sizes).toEqual([8, 8, 4]);
  });

  test("names an unknown tensor, and a type that is not supported only when it is read", async () => {
    const checkpoint = await open(file({ a: { dtype: "F4", shape: [4], data_offsets: [0, 2] }, b: u8(2, 3) }, 3));
    expect(await bytesOf(checkpoint, "b")).toEqual([0]);
    await expect(bytesOf(checkpoint, "a")).rejects.toThrow('"a" is stored as F4');
    await expect(bytesOf(checkpoint, "c")).rejects.toThrow('test.safetensors: no tensor "c"');
  });

  test("stops when aborted", async () => {
    const checkpoint = await open(file({ a: u8(0, 4) }, 4));
    const stream = checkpoint.stream("a", { chunkBytes: 1, signal: AbortSignal.abort(new Error("enough")) });
    await expect(stream.next()).rejects.toThrow("enough");
  });
});

describe("a header that lies is refused", () => {
  const huge = 2 ** 27;
  const cases: [what: string, bytes: Uint8Array, message: string][] = [
    ["an empty file", new Uint8Array(), "0 bytes are too few"],
    ["a header longer than the file", new Uint8Array([9, 0, 0, 0, 0, 0, 0, 0]), "said to have 9 bytes, the file has 8"],
    ["a header above the limit", new Uint8Array([0, 0, 0, 0, 0, 0, 0, 128]), "at most 100000000"],
    ["broken JSON", file('{"a":'), "expected at character"],
    ["no object", file("[]"), "no JSON object"],
    ["text after the object", file("{} x"), "text after the end"],
    ["invalid UTF-8", (() => { const b = file('{"a":"b"}'); b[10] = 0xff; return b; })(), "not UTF-8"],
    ["half a surrogate pair", file('{"\\ud800":1}'), "surrogate"],
    ["a name twice", file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1), 'the name "a" appears twice'],
    ["a name twice, once escaped", file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), 'the name "a" appears twice'],
    ["a field twice", file('{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1), 'the name "dtype" appears twice'],
    ["hostile nesting", file(`{"a":${"[".repeat(1e6)}`), "nesting"],
    ["an unknown dtype", file({ a: { dtype: "F128", shape: [0], data_offsets: [0, 0] } }), 'tensor "a": unknown dtype "F128"'],
    ["a dtype from the prototype", file({ a: { dtype: "toString", shape: [0], data_offsets: [0, 0] } }), "unknown dtype"],
    ["an unknown field", file({ a: { ...u8(0, 1), strides: [1] } }, 1), 'unknown field "strides"'],
    ["a missing shape", file({ a: { dtype: "U8", data_offsets: [0, 1] } }, 1), "shape is no list"],
    ["a fraction in the shape", file('{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', 1), "non-negative integer expected"],
    ["a negative size", file({ a: { dtype: "U8", shape: [-1], data_offsets: [0, 1] } }, 1), "non-negative integer expected"],
    ["three offsets", file({ a: { dtype: "U8", shape: [1], data_offsets: [0, 1, 2] } }, 1), "no pair of integers"],
    ["offsets that run backwards", file({ a: { dtype: "U8", shape: [1], data_offsets: [1, 0] } }, 1), "run backwards"],
    ["a size unlike the shape", file({ a: { dtype: "F32", shape: [1], data_offsets: [0, 1] } }, 1), "takes 4 bytes, its data_offsets span 1"],
    ["a product that overflows", file({ a: { dtype: "F32", shape: [huge, huge, huge, 0], data_offsets: [0, 0] } }), "or too many"],
    ["a number that overflows", file('{"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}}', 1), "too large"],
    ["half a byte", file({ a: { dtype: "F4", shape: [3], data_offsets: [0, 2] } }, 2), "no whole number of bytes"],
    ["an overlap", file({ a: u8(0, 2), b: u8(1, 3) }, 3), 'tensor "b": overlaps'],
    ["a gap", file({ a: u8(0, 1), b: u8(2, 3) }, 3), 'tensor "b": 1 bytes before it'],
    ["a gap at the start", file({ a: u8(1, 2) }, 2), "1 bytes before it"],
    ["too little data", file({ a: u8(0, 4) }, 3), "ends 1 bytes before"],
    ["too much data", file({ a: u8(0, 4) }, 5), "1 bytes after the last tensor"],
    ["metadata that is no text", file({ __metadata__: { format: 1 } }), 'the value of "format" is no string'],
    ["metadata that is no object", file({ __metadata__: "pt" }), "__metadata__ is no JSON object"],
  ];
  test.each(cases)("%s", async (_what, bytes, message) => {
    const error: unknown = await open(bytes).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FormatError);
    expect(String(error)).toContain(message);
    expect(String(error)).toContain("test.safetensors");
  });

  test("tensors in another order than their names, padding, and no tensors at all are fine", async () => {
    expect([...(await open(file({ b: u8(1, 2), a: u8(0, 1) }, 2))).tensors.keys()]).toEqual(["a", "b"]);
    expect((await open(file(' {"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}   ', 1))).tensors.get("a")?.shape).toEqual([]);
    expect((await open(file({}))).tensors.size).toBe(0);
  });
});

describe("Checkpoint.openSharded", () => {
  const shards: Record<string, Uint8Array> = {
    "model-1.safetensors": writeSafetensors({ a: { dtype: "U8", shape: [1], data: new Uint8Array([1]) } }),
    "model-2.safetensors": writeSafetensors({ b: { dtype: "U8", shape: [1], data: new Uint8Array([2]) } }),
  };
  const openIndex = (weight_map: unknown) =>
    Checkpoint.openSharded({ metadata: { total_size: 2 }, weight_map }, async (name) => bytesSource(name, shards[name]));

  test("joins the shards", async () => {
    const checkpoint = await openIndex({ a: "model-1.safetensors", b: "model-2.safetensors" });
    expect(await bytesOf(checkpoint, "a")).toEqual([1]);
    expect(await bytesOf(checkpoint, "b")).toEqual([2]);
    expect(checkpoint.metadata).toEqual({ total_size: "2" });
  });

  test.each<[string, unknown, string]>([
    ["a tensor that no shard holds", { a: "model-1.safetensors", b: "model-2.safetensors", c: "model-2.safetensors" }, "its shards lack: c"],
    ["a tensor that the index does not list", { a: "model-2.safetensors" }, 'holds the tensor "b", which the index does not list'],
    ["a tensor in another shard", { a: "model-2.safetensors", b: "model-1.safetensors" }, "places in"],
    ["a path that climbs", { a: "../model-1.safetensors" }, "a file beside it expected"],
    ["a path that climbs, with backslashes", { a: "..\\model-1.safetensors" }, "is refused"],
    ["an address", { a: "https:evil" }, "is refused"],
    ["a shard that is no text", { a: 1 }, 'names no file for "a"'],
    ["no map", undefined, "no weight_map"],
    ["an empty map", {}, "lists no tensors"],
  ])("refuses %s", async (_what, weightMap, message) => {
    await expect(openIndex(weightMap)).rejects.toThrow(message);
    await expect(openIndex(weightMap)).rejects.toBeInstanceOf(FormatError);
  });
});

test("every dtype's size is the header's", async () => {
  const widths: [StoredDtype, number][] = [["F64", 8], ["BF16", 2], ["F8_E4M3", 1], ["F8_E5M2FNUZ", 1], ["U16", 2], ["BOOL", 1], ["C64", 8]];
  for (const [dtype, width] of widths) {
    const checkpoint = await open(file({ a: { dtype, shape: [2], data_offsets: [0, 2 * width] } }, 2 * width));
    expect(checkpoint.tensors.get("a")?.byteLength, dtype).toBe(2 * width);
  }
});
