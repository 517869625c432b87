// safetensors: a u64 header length, a JSON header, then the tensors' bytes (github.com/huggingface/safetensors). Read by
// ranges, so that a file of any size passes through small buffers; checked against the file before anything is used.
import type { ByteSource } from "./byte-source.ts";
import { type ChunkOptions, ChunkReader, wholeChunk } from "./chunks.ts";
import { dtypeBits, isReadable, isStoredDtype, type StoredDtype } from "./dtype.ts";
import { FormatError } from "./errors.ts";
import type { GgmlBlockType } from "./ggml-blocks.ts";
import { isObject } from "./json.ts";
import { safePath } from "./safe-path.ts";
import { type HeaderValue, parseHeaderJson } from "./strict-json.ts";

export { FormatError } from "./errors.ts";
export type { StoredDtype } from "./dtype.ts";

const maxHeaderBytes = 100_000_000; // the reference implementation's limit

/** What the header says of a tensor. */
export interface TensorEntry {
  readonly name: string;
  /** Blocks are in GGUF files only. */
  readonly dtype: StoredDtype | GgmlBlockType;
  readonly shape: readonly number[];
  readonly byteLength: number;
}

/** Named tensors that are read as streams, whatever file they lie in; see `Checkpoint`. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  stream(name: string, options?: ChunkOptions): AsyncGenerator<Uint8Array, void, undefined>;
  close(): Promise<void>;
}

/** What a safetensors header says of a tensor. */
export interface SafetensorsEntry extends TensorEntry {
  readonly dtype: StoredDtype;
}

interface StoredTensor extends SafetensorsEntry {
  readonly source: ByteSource;
  readonly begin: number; // from the start of the file
}

interface ReadFile {
  readonly source: ByteSource;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** One safetensors file, or the shards that an `*.index.json` lists, as one set of named tensors. */
export class Checkpoint implements TensorFile {
  readonly #tensors: ReadonlyMap<string, StoredTensor>;
  readonly #sources: readonly ByteSource[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly #reader = new ChunkReader();

  private constructor(tensors: ReadonlyMap<string, StoredTensor>, sources: readonly ByteSource[], metadata: Readonly<Record<string, string>>) {
    this.#tensors = tensors;
    this.#sources = sources;
    this.metadata = metadata;
  }

  /** Every tensor by its name, in the order of the file. */
  get tensors(): ReadonlyMap<string, SafetensorsEntry> {
    return this.#tensors;
  }

  /** Reads and checks the header. Throws FormatError naming what is wrong. */
  static async open(source: ByteSource, options: { signal?: AbortSignal } = {}): Promise<Checkpoint> {
    const file = await readHeader(source, options.signal);
    return new Checkpoint(file.tensors, [source], file.metadata);
  }

  /**
   * Reads the shards' headers and checks them against the index: each tensor in the shard that weight_map names, none
   * missing, none besides. `resolve` opens a file that lies beside the index. Throws FormatError.
   */
  static async openSharded(
    index: unknown, resolve: (file: string) => Promise<ByteSource>, options: { signal?: AbortSignal } = {},
  ): Promise<Checkpoint> {
    const { shardOf, metadata } = readIndex(index);
    const names = [...new Set(shardOf.values())];
    const shards = await Promise.all(names.map(async (name) => readHeader(await resolve(name), options.signal)));
    const tensors = new Map<string, StoredTensor>();
    shards.forEach((shard, i) => {
      for (const [name, tensor] of shard.tensors) {
        if (shardOf.get(name) !== names[i]) {
          const other = shardOf.get(name);
          throw new FormatError(`${names[i]}: holds the tensor "${name}", which the index ${other === undefined ? "does not list" : `places in ${other}`}`);
        }
        tensors.set(name, tensor);
      }
    });
    const missing = [...shardOf.keys()].filter((name) => !tensors.has(name));
    if (missing.length > 0) throw new FormatError(`the index lists tensors that its shards lack: ${missing.join(", ")}`);
    return new Checkpoint(tensors, shards.map((shard) => shard.source), metadata);
  }

  /**
   * The tensor's bytes in order (little-endian, rows last), in chunks of whole elements, at most `chunkBytes` each
   * (16 MiB). A chunk holds until the next pull, from this stream or another: its buffer may be used again. Throws
   * FormatError for an unknown name or a type that cannot be read.
   */
  async *stream(name: string, { signal, chunkBytes }: ChunkOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new FormatError(`${this.#sources[0].name}: no tensor "${name}"`);
    if (!isReadable(tensor.dtype)) {
      throw new FormatError(`${tensor.source.name}: "${name}" is stored as ${tensor.dtype}, which is not supported: convert the checkpoint to F16 or F32`);
    }
    const { source, begin, byteLength } = tensor;
    yield* this.#reader.read(source, begin, begin + byteLength, wholeChunk(dtypeBits[tensor.dtype] / 8, chunkBytes), signal);
  }

  /** Closes the files. */
  async close(): Promise<void> {
    this.#reader.close();
    await Promise.all(this.#sources.map((source) => source.close?.()));
  }
}

async function readHeader(source: ByteSource, signal?: AbortSignal): Promise<ReadFile> {
  try {
    return await parseFile(source, signal);
  } catch (error) {
    throw error instanceof FormatError ? new FormatError(`${source.name}: ${error.message}`) : error;
  }
}

async function parseFile(source: ByteSource, signal?: AbortSignal): Promise<ReadFile> {
  if (source.size < 8) throw new FormatError(`${source.size} bytes are too few for a safetensors file`);
  const prefix = await source.read(0, 8, signal);
  const declared = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (declared > BigInt(maxHeaderBytes)) throw new FormatError(`the header is said to have ${declared} bytes, at most ${maxHeaderBytes} expected`);
  const dataStart = 8 + Number(declared);
  if (dataStart > source.size) throw new FormatError(`the header is said to have ${declared} bytes, the file has ${source.size}`);

  const header = parseHeaderJson(decodeUtf8(await source.read(8, dataStart, signal)));
  if (!(header instanceof Map)) throw new FormatError("the header is no JSON object");
  let metadata: Record<string, string> = {};
  const entries: StoredTensor[] = [];
  for (const [name, value] of header) {
    if (name === "__metadata__") metadata = readMetadata(value);
    else entries.push({ ...readEntry(name, value, dataStart), source });
  }
  checkCoverage(entries, dataStart, source.size);
  return { source, metadata, tensors: new Map(entries.map((entry) => [entry.name, entry])) };
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FormatError("the header is not UTF-8");
  }
}

function readMetadata(value: HeaderValue): Record<string, string> {
  if (!(value instanceof Map)) throw new FormatError("__metadata__ is no JSON object");
  const strings: [string, string][] = [];
  for (const [key, text] of value) {
    if (typeof text !== "string") throw new FormatError(`__metadata__: the value of "${key}" is no string`);
    strings.push([key, text]);
  }
  return Object.fromEntries(strings);
}

function readEntry(name: string, value: HeaderValue, dataStart: number): Omit<StoredTensor, "source"> {
  const fail = (what: string): never => {
    throw new FormatError(`tensor "${name}": ${what}`);
  };
  if (!(value instanceof Map)) return fail("its entry is no JSON object");
  for (const field of value.keys()) {
    if (field !== "dtype" && field !== "shape" && field !== "data_offsets") fail(`unknown field "${field}"`);
  }
  const dtype = value.get("dtype");
  if (typeof dtype !== "string" || !isStoredDtype(dtype)) return fail(`unknown dtype ${JSON.stringify(dtype)}`);
  const shape = integerList(value.get("shape")) ?? fail("its shape is no list of integers");
  const offsets = integerList(value.get("data_offsets"));
  if (offsets === null || offsets.length !== 2) return fail("its data_offsets are no pair of integers");
  const [begin, end] = offsets;
  if (begin > end) fail(`its data_offsets [${begin}, ${end}] run backwards`);
  const byteLength = byteLengthOf(dtype, shape) ?? fail(`its shape [${shape}] of ${dtype} is no whole number of bytes, or too many`);
  if (end - begin !== byteLength) fail(`[${shape}] of ${dtype} takes ${byteLength} bytes, its data_offsets span ${end - begin}`);
  return { name, dtype, shape, byteLength, begin: dataStart + begin };
}

function integerList(value: HeaderValue | undefined): number[] | null {
  if (!Array.isArray(value)) return null;
  const list = value.filter((item) => typeof item === "number");
  return list.length === value.length ? list : null;
}

/** Bytes of a tensor, or null where they are no whole number or pass 2^53. */
function byteLengthOf(dtype: StoredDtype, shape: readonly number[]): number | null {
  let elements = 1;
  for (const size of shape) {
    elements *= size;
    if (!Number.isSafeInteger(elements)) return null; // as the reference: also where a later size is 0
  }
  const bytes = (elements * dtypeBits[dtype]) / 8;
  return Number.isSafeInteger(bytes) && Number.isSafeInteger(elements * dtypeBits[dtype]) ? bytes : null;
}

/** The tensors' bytes, sorted (in place), must cover the file's data once: no overlap, no gap, nothing after the last. */
function checkCoverage(entries: StoredTensor[], dataStart: number, fileSize: number): void {
  entries.sort((a, b) => a.begin - b.begin || a.byteLength - b.byteLength);
  let at = dataStart;
  for (const { name, begin, byteLength } of entries) {
    if (begin !== at) throw new FormatError(`tensor "${name}": ${begin < at ? "overlaps the one before it" : `${begin - at} bytes before it belong to no tensor`}`);
    at += byteLength;
  }
  if (at > fileSize) throw new FormatError(`the file ends ${at - fileSize} bytes before its last tensor does`);
  if (at < fileSize) throw new FormatError(`${fileSize - at} bytes after the last tensor belong to none`);
}

function readIndex(index: unknown): { shardOf: Map<string, string>; metadata: Record<string, string> } {
  const weightMap = isObject(index) ? index.weight_map : undefined;
  if (!isObject(weightMap)) throw new FormatError("the index of a sharded checkpoint has no weight_map");
  const shardOf = new Map<string, string>();
  for (const [name, file] of Object.entries(weightMap)) {
    if (typeof file !== "string") throw new FormatError(`the index names no file for "${name}"`);
    if (file.includes("/")) throw new FormatError(`the index names the file ${JSON.stringify(file)}: a file beside it expected`);
    shardOf.set(name, safePath(file));
  }
  if (shardOf.size === 0) throw new FormatError("the index of a sharded checkpoint lists no tensors");
  const metadata = isObject(index) && isObject(index.metadata) ? index.metadata : {};
  return { shardOf, metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, String(value)])) };
}

/** A tensor to be written. */
export interface TensorData {
  dtype: StoredDtype;
  shape: readonly number[];
  data: ArrayBufferView;
}

/**
 * A safetensors file of the tensors, wider types first and then by name, as the reference writes it, so that each tensor
 * is aligned. Throws FormatError where data and shape disagree.
 */
export function writeSafetensors(tensors: Record<string, TensorData>, metadata?: Record<string, string>): Uint8Array {
  const sorted = Object.entries(tensors).sort(([a, x], [b, y]) => dtypeBits[y.dtype] - dtypeBits[x.dtype] || (a < b ? -1 : 1));
  const fields: string[] = metadata === undefined ? [] : [`"__metadata__":${JSON.stringify(metadata)}`]; // text: no name is special
  let dataBytes = 0;
  for (const [name, { dtype, shape, data }] of sorted) {
    const expected = byteLengthOf(dtype, shape);
    if (expected !== data.byteLength) throw new FormatError(`tensor "${name}": [${shape}] of ${dtype} takes ${expected} bytes, its data has ${data.byteLength}`);
    if (name === "__metadata__") throw new FormatError('a tensor cannot be called "__metadata__"');
    const offsets = [dataBytes, dataBytes + data.byteLength];
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: offsets })}`);
    dataBytes = offsets[1];
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + dataBytes).fill(0x20, 8, 8 + headerBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(json, 8);
  let at = 8 + headerBytes;
  for (const [, { data }] of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}
