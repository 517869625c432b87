// The header of a GGUF file (github.com/ggml-org/ggml/blob/master/docs/gguf.md), version 2 or 3, little-endian: counts,
// metadata, and what each tensor is. Read through a window that moves over the file, and believed in nothing: every count
// is held against the bytes that are left before anything is allocated for it.
import type { ByteSource } from "./byte-source.ts";
import { dtypeBits, type StoredDtype } from "./dtype.ts";
import { FormatError } from "./errors.ts";
import { type GgmlBlockType, ggmlBlocks, isBlockType } from "./ggml-blocks.ts";

export type GgufNumbers =
  | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array | BigUint64Array | BigInt64Array;

/** A value of the metadata; a 64-bit integer is a bigint only where it is not exact as a number. */
export type GgufValue = number | bigint | boolean | string | readonly string[] | readonly boolean[] | GgufNumbers;

export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** A tensor as the header describes it; its shape with rows last, as PyTorch has it, so GGML's dimensions reversed. */
export interface GgufTensorInfo {
  readonly name: string;
  readonly dtype: StoredDtype | GgmlBlockType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** From the start of the tensors' data. */
  readonly offset: number;
}

export interface GgufHeader {
  readonly version: 2 | 3;
  readonly metadata: GgufMetadata;
  readonly tensors: readonly GgufTensorInfo[];
  /** Bytes before the padding that the tensors' data follow. */
  readonly end: number;
}

const maxHeaderBytes = 100_000_000; // a vocabulary of 262,144 pieces takes 10 MB
const windowBytes = 2 ** 20;
const maxKeyBytes = 65_535;
const maxTensorNameBytes = 64;
const maxDimensions = 4;
const maxBooleans = 2 ** 20;

/** ggml_type → name: what is read here under its dtype, the others so that they can be named. */
const tensorTypes: Readonly<Record<number, string>> = {
  0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
  13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
  22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0",
  35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0",
};
const plainTypes = ["F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64"] as const;

/** Reads and checks the header. Throws FormatError naming what is wrong. */
export async function readGgufHeader(source: ByteSource, signal?: AbortSignal): Promise<GgufHeader> {
  const reader = new HeaderReader(source, signal);
  if (source.size < 24) throw new FormatError(`${source.size} bytes are too few for a GGUF file`);
  await reader.need(24);
  const magic = reader.text(4);
  if (magic !== "GGUF") {
    const old = ["lmgg", "fmgg", "tjgg", "algg"].includes(magic); // GGML, GGMF, GGJT, GGLA as stored
    throw new FormatError(old ? "an older GGML file: convert the model to GGUF anew" : "no GGUF file: it does not begin with the letters GGUF");
  }
  const version = reader.u32();
  if (version !== 2 && version !== 3) {
    if (version !== 0 && version % 0x1_0000 === 0) throw new FormatError("a big-endian GGUF file is not supported: convert it with gguf-convert-endian of the Python package gguf");
    throw new FormatError(`GGUF version ${version} is not supported, only 2 and 3: convert the model anew`);
  }
  const tensorCount = reader.size("tensors");
  const keyCount = reader.size("metadata keys");
  reader.expectItems(keyCount, 13, "metadata keys"); // length, type and the shortest value
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < keyCount; i++) {
    const key = await reader.string(`metadata key ${i}`, maxKeyBytes);
    if (key === "") throw new FormatError(`metadata key ${i} is empty`);
    if (metadata.has(key)) throw new FormatError(`the metadata key ${JSON.stringify(key)} appears twice`);
    metadata.set(key, await readValue(reader, key));
  }
  reader.expectItems(tensorCount, 24, "tensors"); // length, dimension count, type, offset
  const tensors: GgufTensorInfo[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const tensor = await readTensorInfo(reader, i);
    if (names.has(tensor.name)) throw new FormatError(`the tensor ${JSON.stringify(tensor.name)} appears twice`);
    names.add(tensor.name);
    tensors.push(tensor);
  }
  return { version, metadata, tensors, end: reader.position };
}

async function readTensorInfo(reader: HeaderReader, index: number): Promise<GgufTensorInfo> {
  const name = await reader.string(`tensor name ${index}`, maxTensorNameBytes);
  const fail = (what: string): never => {
    throw new FormatError(`tensor ${JSON.stringify(name)}: ${what}`);
  };
  await reader.need(4);
  const rank = reader.u32();
  if (rank > maxDimensions) fail(`${rank} dimensions, at most ${maxDimensions} expected`);
  await reader.need(8 * rank + 12);
  const shape = Array.from({ length: rank }, () => reader.size(`elements in a dimension of ${JSON.stringify(name)}`)).reverse();
  const type = reader.u32();
  const dtype = tensorTypes[type] ?? fail(`unknown type ${type}`);
  if (!isTensorType(dtype)) return fail(`it is stored as ${dtype}, which is not supported: take the model as Q4_K_M, Q8_0 or F16`);
  const offset = reader.size(`bytes before ${JSON.stringify(name)}`);
  const { elements: blockElements, bytes: blockBytes } = blockOf(dtype);
  const elements = shape.reduce((product, size) => product * size, 1);
  const tooMany = !Number.isSafeInteger(shape.reduce((product, size) => product * Math.max(1, size), 1) * 8);
  if (tooMany) fail(`its shape [${shape}] has too many elements`);
  if ((shape.at(-1) ?? 1) % blockElements !== 0) fail(`its rows of ${shape.at(-1)} elements are no whole number of ${dtype} blocks of ${blockElements}`);
  return { name, dtype, shape, byteLength: (elements / blockElements) * blockBytes, offset };
}

function isTensorType(name: string): name is (typeof plainTypes)[number] | GgmlBlockType {
  return isBlockType(name) || plainTypes.some((plain) => plain === name);
}

/** Elements and bytes of what cannot be split: a block, or one element. */
export function blockOf(dtype: StoredDtype | GgmlBlockType): { readonly elements: number; readonly bytes: number } {
  return isBlockType(dtype) ? ggmlBlocks[dtype] : { elements: 1, bytes: dtypeBits[dtype] / 8 };
}

/** The value types by their numbers; 9 is an array. */
const scalarBytes = [1, 1, 2, 2, 4, 4, 4, 1, 8, 0, 8, 8, 8]; // a string has at least its length
const arrayType = 9;
const numberArrays: Readonly<Record<number, new (buffer: ArrayBuffer) => GgufNumbers>> = {
  0: Uint8Array, 1: Int8Array, 2: Uint16Array, 3: Int16Array, 4: Uint32Array, 5: Int32Array, 6: Float32Array,
  10: BigUint64Array, 11: BigInt64Array, 12: Float64Array,
};

async function readValue(reader: HeaderReader, key: string): Promise<GgufValue> {
  await reader.need(4);
  const type = reader.u32();
  if (type === arrayType) return readArray(reader, key);
  if (type >= scalarBytes.length) throw new FormatError(`metadata ${JSON.stringify(key)}: unknown value type ${type}`);
  if (type === 8) return reader.string(`metadata ${JSON.stringify(key)}`);
  await reader.need(scalarBytes[type]);
  if (type === 7) return reader.boolean(key);
  const [value] = new numberArrays[type](reader.bytes(scalarBytes[type]).slice().buffer);
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

async function readArray(reader: HeaderReader, key: string): Promise<GgufValue> {
  const what = `metadata ${JSON.stringify(key)}`;
  await reader.need(12);
  const type = reader.u32();
  const count = reader.size(`values of ${what}`);
  if (type === arrayType) throw new FormatError(`${what}: an array of arrays is not supported`);
  if (type >= scalarBytes.length) throw new FormatError(`${what}: unknown value type ${type}`);
  reader.expectItems(count, scalarBytes[type], `values of ${what}`);
  if (type === 8) {
    const strings: string[] = [];
    for (let i = 0; i < count; i++) strings.push(reader.stringAtHand() ?? (await reader.string(what)));
    return strings;
  }
  if (type === 7 && count > maxBooleans) throw new FormatError(`${what}: ${count} booleans, at most ${maxBooleans} expected`);
  await reader.need(count * scalarBytes[type]);
  if (type === 7) return Array.from({ length: count }, () => reader.boolean(key));
  return new numberArrays[type](reader.bytes(count * scalarBytes[type]).slice().buffer);
}

/** A window on the file that moves forward. `need` brings bytes into it; the other calls take them. */
class HeaderReader {
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #start = 0; // of the window, in the file
  #window: Uint8Array = new Uint8Array();
  #view = new DataView(this.#window.buffer);
  #at = 0; // in the window

  constructor(source: ByteSource, signal?: AbortSignal) {
    this.#source = source;
    this.#signal = signal;
  }

  get position(): number {
    return this.#start + this.#at;
  }

  /** Makes sure that the next `count` bytes are at hand. Throws FormatError where the file, or the largest header, ends before. */
  async need(count: number): Promise<void> {
    if (this.#at + count <= this.#window.byteLength) return;
    const start = this.position;
    this.#expect(count, `${count} bytes`);
    const end = Math.min(start + Math.max(count, windowBytes), this.#source.size);
    this.#window = await this.#source.read(start, end, this.#signal);
    this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.byteLength);
    this.#start = start;
    this.#at = 0;
  }

  /** Throws FormatError unless `count` items of at least `itemBytes` can follow. */
  expectItems(count: number, itemBytes: number, what: string): void {
    this.#expect(count * itemBytes, `${count} ${what}`);
  }

  #expect(bytes: number, what: string): void {
    const left = this.#source.size - this.position;
    if (bytes > left) throw new FormatError(`the header is said to go on with ${what}, but only ${left} bytes are left`);
    if (this.position + bytes > maxHeaderBytes) throw new FormatError(`the header is said to go on with ${what}, past the ${maxHeaderBytes} bytes that a header may have`);
  }

  u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  /** A 64-bit count or length. Throws FormatError beyond 2^53. */
  size(what: string): number {
    const value = this.#view.getBigUint64(this.#at, true);
    this.#at += 8;
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FormatError(`the header speaks of ${value} ${what}`);
    return Number(value);
  }

  boolean(key: string): boolean {
    const value = this.#window[this.#at++];
    if (value > 1) throw new FormatError(`metadata ${JSON.stringify(key)}: a truth value of ${value}, 0 or 1 expected`);
    return value === 1;
  }

  /** A view of the next bytes, until the window moves. */
  bytes(count: number): Uint8Array {
    this.#at += count;
    return this.#window.subarray(this.#at - count, this.#at);
  }

  /** The next bytes as Latin-1, whatever they are. */
  text(count: number): string {
    return String.fromCharCode(...this.bytes(count));
  }

  async string(what: string, maxBytes = maxHeaderBytes): Promise<string> {
    await this.need(8);
    const length = this.size(`bytes of ${what}`);
    if (length > maxBytes) throw new FormatError(`${what}: a text of ${length} bytes, at most ${maxBytes} expected`);
    await this.need(length);
    try {
      return this.#utf8.decode(this.bytes(length));
    } catch {
      throw new FormatError(`${what}: the text is not UTF-8`);
    }
  }

  /** The next string if the window holds all of it and it is sound, else null: so that a vocabulary is read without waiting. */
  stringAtHand(): string | null {
    const start = this.#at + 8;
    if (start > this.#window.byteLength) return null;
    const length = Number(this.#view.getBigUint64(this.#at, true));
    if (start + length > this.#window.byteLength) return null;
    try {
      const text = this.#utf8.decode(this.#window.subarray(start, start + length));
      this.#at = start + length;
      return text;
    } catch {
      return null;
    }
  }
}
