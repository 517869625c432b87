// GGUF files: what is written is read, headers that lie are refused with the file's name and what is wrong, split models.
import { describe, expect, test } from "vitest";
import { type ByteSource, bytesSource } from "../../src/formats/byte-source.ts";
import { type Gguf, openGguf } from "../../src/formats/gguf.ts";
import { FormatError } from "../../src/formats/safetensors.ts";
import { array, bool, f32, float, gguf, join, string, text, u32, u64, u8, uint, type Value, type WrittenTensor } from "./gguf-writer.ts";

const open = (bytes: Uint8Array): Promise<Gguf> => openGguf(bytesSource("test.gguf", bytes));
const tensor = (name: string, dimensions: readonly (number | bigint)[], type = 0, offset: number | bigint = 0): WrittenTensor => ({ name, dimensions, type, offset });

async function bytesOf(file: Gguf, name: string, chunkBytes?: number): Promise<number[][]> {
  const chunks: number[][] = [];
  for await (const chunk of file.checkpoint.stream(name, { chunkBytes })) chunks.push([...chunk]);
  return chunks;
}

describe("what is written is read", () => {
  test.each([2, 3])("version %i: every type of value, tensors with rows last", async (version) => {
    const metadata: [string, Value][] = [
      ["u8", [0, u8(255)]], ["i8", [1, u8(255)]], ["u16", [2, Uint8Array.of(0xff, 0xff)]], ["i16", [3, Uint8Array.of(0xff, 0xff)]],
      ["u32", uint(0xffff_ffff)], ["i32", [5, u32(0xffff_ffff)]], ["f32", float(1.5)], ["bool", bool(1)], ["string", string("é\u0000😀")],
      ["u64", [10, u64(2 ** 53 - 1)]], ["large", [10, u64(2n ** 53n)]], ["i64", [11, u64(0xffff_ffff_ffff_ffffn)]], ["f64", [12, new Uint8Array(Float64Array.of(0.1).buffer)]],
      ["strings", array(8, [text("a"), text(""), text("bc")])], ["floats", array(6, [f32(1), f32(-2)])], ["bools", array(7, [u8(0), u8(1)])], ["empty", array(8, [])],
    ];
    const bytes = gguf({ version, metadata, tensors: [tensor("b", [3, 2], 0, 32), tensor("a", [32, 1], 2, 0), tensor("scalar", [], 28, 64)], data: 72 });
    bytes.set([1, 2, 3], bytes.length - 72);
    const file = await open(bytes);
    expect(file.version).toBe(version);
    expect(Object.fromEntries(file.metadata)).toEqual({
      u8: 255, i8: -1, u16: 65_535, i16: -1, u32: 0xffff_ffff, i32: -1, f32: 1.5, bool: true, string: "é\u0000😀",
      u64: 2 ** 53 - 1, large: 2n ** 53n, i64: -1, f64: 0.1, strings: ["a", "", "bc"], floats: Float32Array.of(1, -2), bools: [false, true], empty: [],
    });
    expect([...file.checkpoint.tensors.values()].map(({ name, dtype, shape, byteLength }) => ({ name, dtype, shape, byteLength }))).toEqual([
      { name: "a", dtype: "Q4_0", shape: [1, 32], byteLength: 18 }, { name: "b", dtype: "F32", shape: [2, 3], byteLength: 24 }, { name: "scalar", dtype: "F64", shape: [], byteLength: 8 },
    ]);
    expect((await bytesOf(file, "a"))[0].slice(0, 4)).toEqual([1, 2, 3, 0]);
  });

  test("a vocabulary larger than the reader's window, in few reads", async () => {
    const tokens = Array.from({ length: 100_000 }, (_, i) => `token ${i} é`);
    const bytes = gguf({ metadata: [["tokens", array(8, tokens.map(text))], ["scores", array(6, tokens.map((_, i) => f32(i)))], ["after", uint(7)]] });
    let reads = 0;
    const source = bytesSource("test.gguf", bytes);
    const counted: ByteSource = { ...source, read: (...range) => (reads++, source.read(...range)) };
    const { metadata } = await openGguf(counted);
    expect(metadata.get("tokens")).toEqual(tokens);
    expect([...(metadata.get("scores") as Float32Array)].slice(-2)).toEqual([99_998, 99_999]);
    expect(metadata.get("after")).toBe(7);
    expect(reads).toBeLessThan(12);
  });

  test("streams are of whole blocks", async () => {
    const file = await open(gguf({ tensors: [tensor("a", [32, 4], 8)], data: 136 }));
    expect((await bytesOf(file, "a", 70)).map((chunk) => chunk.length)).toEqual([68, 68]);
    expect((await bytesOf(file, "a", 1)).map((chunk) => chunk.length)).toEqual([34, 34, 34, 34]);
    await expect(bytesOf(file, "b")).rejects.toThrow('test.gguf: no tensor "b"');
  });

  test("another alignment, padding after the last tensor or none, and no tensors at all are fine", async () => {
    const aligned = { metadata: [["general.alignment", uint(8)]] as const, alignment: 8, tensors: [tensor("a", [1]), tensor("b", [1], 0, 8)] };
    expect((await open(gguf({ ...aligned, data: 12 }))).checkpoint.tensors.size).toBe(2);
    expect((await open(gguf({ ...aligned, data: 16 }))).checkpoint.tensors.size).toBe(2);
    expect((await open(gguf({}))).checkpoint.tensors.size).toBe(0);
  });
});

describe("a header that lies is refused", () => {
  const a = tensor("a", [8]);
  const key = (...value: Value): { metadata: [string, Value][] } => ({ metadata: [["k", value]] });
  const cases: [what: string, bytes: Uint8Array, message: string][] = [
    ["an empty file", new Uint8Array(), "0 bytes are too few"],
    ["another format", gguf({ magic: "PK\u0003\u0004" }), "does not begin with the letters GGUF"],
    ["GGML's older formats", gguf({ magic: "tjgg" }), "older GGML file"],
    ["big-endian", gguf({ version: 0x0300_0000 }), "big-endian"],
    ["version 1", gguf({ version: 1 }), "GGUF version 1 is not supported"],
    ["version 4", gguf({ version: 4 }), "GGUF version 4 is not supported"],
    ["version 0", gguf({ version: 0 }), "GGUF version 0"],
    ["more keys than bytes", gguf({ keyCount: 2 ** 40 }), "1099511627776 metadata keys, but only 0 bytes are left"],
    ["more keys than numbers", gguf({ keyCount: 2n ** 63n }), "9223372036854775808 metadata keys"],
    ["more tensors than bytes", gguf({ tensorCount: 2 ** 40 }), "tensors, but only 0 bytes are left"],
    ["a key too many", gguf({ ...key(...uint(1)), keyCount: 2 }), "2 metadata keys, but only"],
    ["a key longer than the file", join(gguf({ keyCount: 1 }), u64(60_000), new Uint8Array(20)), "go on with 60000 bytes"],
    ["a key of no letters", gguf({ metadata: [["", uint(1)]] }), "metadata key 0 is empty"],
    ["a key too long", gguf({ metadata: [["k".repeat(65_536), uint(1)]] }), "a text of 65536 bytes, at most 65535"],
    ["a key twice", gguf({ metadata: [["k", uint(1)], ["k", uint(1)]] }), 'the metadata key "k" appears twice'],
    ["a key that is no UTF-8", join(gguf({ keyCount: 1 }), text(Uint8Array.of(0xff)), u32(4), u32(1)), "metadata key 0: the text is not UTF-8"],
    ["an unknown type", gguf(key(13, u64(0))), 'metadata "k": unknown value type 13'],
    ["a truth of 2", gguf(key(...bool(2))), 'metadata "k": a truth value of 2'],
    ["a text longer than the file", gguf(key(8, u64(2 ** 24))), "16777216 bytes, but only 0 bytes are left"],
    ["a text longer than any header", gguf(key(8, u64(2 ** 40))), "a text of 1099511627776 bytes, at most"],
    ["a text without an end in numbers", gguf(key(8, u64(2n ** 64n - 1n))), 'bytes of metadata "k"'],
    ["a text that is no UTF-8", gguf(key(8, text(Uint8Array.of(0xc3)))), 'metadata "k": the text is not UTF-8'],
    ["half a text in a list", gguf(key(...array(8, [text("a"), u64(9)]))), "9 bytes, but only 0"],
    ["a list longer than the file", gguf(key(...array(6, [], 2 ** 50))), "values of metadata \"k\", but only 0 bytes are left"],
    ["a list of lists", gguf(key(...array(9, [join(u32(4), u64(0))]))), "an array of arrays"],
    ["a list of an unknown type", gguf(key(...array(77, [u8(0)]))), "unknown value type 77"],
    ["a list with a truth of 2", gguf(key(...array(7, [u8(2)]))), "a truth value of 2"],
    ["a list of too many truths", gguf(key(...array(7, [new Uint8Array(2 ** 20 + 1)], 2 ** 20 + 1))), "at most 1048576"],
    ["a tensor's name too long", gguf({ tensors: [tensor("n".repeat(65), [1])], data: 4 }), "a text of 65 bytes, at most 64"],
    ["a tensor twice", gguf({ tensors: [a, tensor("a", [8], 0, 32)], data: 64 }), 'the tensor "a" appears twice'],
    ["five dimensions", gguf({ tensors: [tensor("a", [1, 1, 1, 1, 1])], data: 4 }), "5 dimensions, at most 4"],
    ["an unknown tensor type", gguf({ tensors: [tensor("a", [32], 4)], data: 18 }), 'tensor "a": unknown type 4'],
    ["a tensor type that is not read", gguf({ tensors: [tensor("a", [256], 16)], data: 66 }), "stored as IQ2_XXS, which is not supported"],
    ["rows of part of a block", gguf({ tensors: [tensor("a", [16, 2], 2)], data: 18 }), "rows of 16 elements are no whole number of Q4_0 blocks of 32"],
    ["a dimension beyond numbers", gguf({ tensors: [tensor("a", [2n ** 60n])] }), "elements in a dimension"],
    ["a product that overflows", gguf({ tensors: [tensor("a", [2 ** 30, 2 ** 30])] }), "has too many elements"],
    ["a product that overflows before a zero", gguf({ tensors: [tensor("a", [2 ** 30, 2 ** 30, 0])] }), "has too many elements"],
    ["an offset beyond numbers", gguf({ tensors: [tensor("a", [8], 0, 2n ** 63n)], data: 32 }), "9223372036854775808 bytes before"],
    ["a crooked offset", gguf({ tensors: [a, tensor("b", [8], 0, 33)], data: 65 }), '"b": 1 bytes before it'],
    ["an offset in the padding", gguf({ tensors: [tensor("a", [1]), tensor("b", [1], 0, 8)], data: 12 }), "not at a multiple of 32"],
    ["an overlap", gguf({ tensors: [a, tensor("b", [8], 0, 16)], data: 48 }), '"b": overlaps'],
    ["a gap", gguf({ tensors: [a, tensor("b", [8], 0, 64)], data: 96 }), '"b": 32 bytes before it belong to no tensor'],
    ["a gap at the start", gguf({ tensors: [tensor("a", [8], 0, 32)], data: 64 }), "32 bytes before it"],
    ["too little data", gguf({ tensors: [a], data: 31 }), "ends 1 bytes before its last tensor"],
    ["too much data", gguf({ tensors: [a], data: 33 }), "1 bytes after the last tensor"],
    ["bytes after a file without tensors", join(gguf({}), new Uint8Array(64)), "bytes after the last tensor"],
    ["an alignment of 0", gguf({ metadata: [["general.alignment", uint(0)]] }), "no power of two"],
    ["an alignment of 24", gguf({ metadata: [["general.alignment", uint(24)]] }), "no power of two"],
    ["an alignment in words", gguf({ metadata: [["general.alignment", string("8")]] }), "no power of two"],
    ["blocks of an older layout", gguf({ metadata: [["general.quantization_version", uint(1)]], tensors: [tensor("a", [32], 2)], data: 18 }), "quantization version 1"],
    ["splits in words", gguf({ metadata: [["split.count", string("2")]] }), '"split.count": 2 is no count'],
  ];
  test.each(cases)("%s", async (_what, bytes, message) => {
    const error: unknown = await open(bytes).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FormatError);
    expect(String(error)).toContain(message);
    expect(String(error)).toContain("test.gguf: ");
  });

  test("a header of more than 100 MB", async () => {
    const start = gguf({ metadata: [["k", array(0, [], 200_000_000)]] });
    const source: ByteSource = { name: "large.gguf", size: 2 ** 40, read: async (from, to) => join(start.subarray(from, to), new Uint8Array(Math.max(0, to - Math.max(from, start.length)))) };
    await expect(openGguf(source)).rejects.toThrow("past the 100000000 bytes");
  });

  test("what fails in reading is not called a fault of the file", async () => {
    const source = { ...bytesSource("test.gguf", gguf({})), read: () => Promise.reject(new Error("no network")) };
    await expect(openGguf(source)).rejects.toThrow(/^no network$/);
    await expect(openGguf(bytesSource("a", gguf({})), { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });
});

describe("a split model", () => {
  const part = (number: number, names: readonly string[], count = 2, total = 2): Uint8Array<ArrayBuffer> => gguf({
    metadata: [["split.no", uint(number)], ["split.count", uint(count)], ["split.tensors.count", uint(total)]],
    tensors: names.map((name, i) => tensor(name, [1], 0, 32 * i)), data: names.length * 32,
  });
  const openSplit = (files: Record<string, Uint8Array>, first = "m-00001-of-00002.gguf"): Promise<Gguf> =>
    openGguf(bytesSource(first, files[first]), { resolve: async (name) => (name in files ? bytesSource(name, files[name]) : Promise.reject(new FormatError(`no ${name}`))) });

  test("is joined", async () => {
    const file = await openSplit({ "m-00001-of-00002.gguf": part(0, ["a"]), "m-00002-of-00002.gguf": part(1, ["b"]) });
    expect([...file.checkpoint.tensors.keys()]).toEqual(["a", "b"]);
    expect(await bytesOf(file, "b")).toEqual([[0, 0, 0, 0]]);
  });

  test.each<[string, Record<string, Uint8Array>, string]>([
    ["without its second file", { "m-00001-of-00002.gguf": part(0, ["a"]) }, "no m-00002-of-00002.gguf"],
    ["with another's second file", { "m-00001-of-00002.gguf": part(0, ["a"]), "m-00002-of-00002.gguf": part(1, ["b"], 3) }, "m-00002-of-00002.gguf: is not file 2 of 2"],
    ["with the first file twice", { "m-00001-of-00002.gguf": part(0, ["a"]), "m-00002-of-00002.gguf": part(0, ["b"]) }, "is not file 2 of 2"],
    ["with a tensor twice", { "m-00001-of-00002.gguf": part(0, ["a"]), "m-00002-of-00002.gguf": part(1, ["a"]) }, 'm-00002-of-00002.gguf: the tensor "a" is in another file'],
    ["with a tensor missing", { "m-00001-of-00002.gguf": part(0, ["a"]), "m-00002-of-00002.gguf": part(1, []) }, "said to have 2 tensors, its 2 files hold 1"],
  ])("%s is refused", async (_what, files, message) => {
    await expect(openSplit(files)).rejects.toThrow(message);
    await expect(openSplit(files)).rejects.toBeInstanceOf(FormatError);
  });

  test("is opened at its first file, with the others", async () => {
    await expect(openSplit({ "m-00002-of-00002.gguf": part(1, ["b"]) }, "m-00002-of-00002.gguf")).rejects.toThrow("open the first, …-00001-of-00002.gguf");
    await expect(openGguf(bytesSource("m-00001-of-00002.gguf", part(0, ["a"])))).rejects.toThrow("the other 1 files of the split model are needed");
  });
});
