// GGUF: metadata and tensors of a language model in one file, or split over several (github.com/ggml-org/ggml/blob/master/
// docs/gguf.md). Read by ranges; the header is checked against the file before anything is used.
import type { ByteSource } from "./byte-source.ts";
import { type ChunkOptions, ChunkReader, wholeChunk } from "./chunks.ts";
import { FormatError } from "./errors.ts";
import { isBlockType } from "./ggml-blocks.ts";
import { blockOf, type GgufHeader, type GgufMetadata, type GgufTensorInfo, readGgufHeader } from "./gguf-header.ts";
import type { TensorEntry, TensorFile } from "./safetensors.ts";

export type { GgufMetadata, GgufNumbers, GgufValue } from "./gguf-header.ts";

export interface OpenGgufOptions {
  signal?: AbortSignal;
  /** Opens a file that lies beside: the others of a model that is split. Without it, such a model is refused. */
  resolve?: (file: string) => Promise<ByteSource>;
}

/** A GGUF model as it is stored. */
export interface Gguf {
  /** What errors call the file. */
  readonly name: string;
  readonly version: 2 | 3;
  readonly metadata: GgufMetadata;
  /** The tensors under GGUF's own names. */
  readonly checkpoint: GgufTensors;
}

interface StoredTensor extends TensorEntry {
  readonly source: ByteSource;
  readonly begin: number; // from the start of the file
}

interface RangeOptions extends ChunkOptions {
  /** First byte of the tensor that is read, and the one after the last: multiples of a block. */
  from?: number;
  to?: number;
}

/** The tensors of a GGUF model, read as streams. */
export class GgufTensors implements TensorFile {
  readonly #reader = new ChunkReader();
  readonly #sources: readonly ByteSource[];

  /** `stored`: every tensor by its name, in the order of the files. */
  constructor(private readonly stored: ReadonlyMap<string, StoredTensor>, sources: readonly ByteSource[]) {
    this.#sources = sources;
  }

  /** Every tensor by its name, in the order of the files; shapes with rows last, [out, in] of a matrix. */
  get tensors(): ReadonlyMap<string, TensorEntry> {
    return this.stored;
  }

  /**
   * The tensor's bytes in order, in chunks of whole elements or blocks, at most `chunkBytes` each (16 MiB). A chunk holds
   * until the next pull, from this stream or another. Throws FormatError for an unknown name.
   */
  async *stream(name: string, { from = 0, to, chunkBytes, signal }: RangeOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const tensor = this.stored.get(name);
    if (tensor === undefined) throw new FormatError(`${this.#sources[0].name}: no tensor "${name}"`);
    const { source, begin, byteLength, dtype } = tensor;
    yield* this.#reader.read(source, begin + from, begin + (to ?? byteLength), wholeChunk(blockOf(dtype).bytes, chunkBytes), signal);
  }

  /** Closes the files. */
  async close(): Promise<void> {
    this.#reader.close();
    await Promise.all(this.#sources.map((source) => source.close?.()));
  }
}

/** Reads and checks the header, or those of all files of a split model. Throws FormatError naming the file and what is wrong. */
export async function openGguf(source: ByteSource, { signal, resolve }: OpenGgufOptions = {}): Promise<Gguf> {
  const first = await openFile(source, signal);
  const count = first.header.metadata.get("split.count") ?? 0;
  if (typeof count !== "number" || count > 99_999) throw new FormatError(`${source.name}: metadata "split.count": ${count} is no count of files`);
  const files = count <= 1 ? [first] : await openSplit(first, count, resolve, signal);
  const stored = new Map<string, StoredTensor>();
  for (const file of files) {
    for (const tensor of file.tensors) {
      if (stored.has(tensor.name)) throw new FormatError(`${file.source.name}: the tensor ${JSON.stringify(tensor.name)} is in another file of the model, too`);
      stored.set(tensor.name, tensor);
    }
  }
  const declared = first.header.metadata.get("split.tensors.count");
  if (count > 1 && declared !== stored.size) throw new FormatError(`${source.name}: the model is said to have ${declared} tensors, its ${count} files hold ${stored.size}`);
  const { version, metadata } = first.header;
  return { name: source.name, version, metadata, checkpoint: new GgufTensors(stored, files.map((file) => file.source)) };
}

interface GgufFile {
  readonly source: ByteSource;
  readonly header: GgufHeader;
  readonly tensors: readonly StoredTensor[];
}

async function openFile(source: ByteSource, signal?: AbortSignal): Promise<GgufFile> {
  try {
    const header = await readGgufHeader(source, signal);
    return { source, header, tensors: placeTensors(header, source) };
  } catch (error) {
    throw error instanceof FormatError ? new FormatError(`${source.name}: ${error.message}`) : error;
  }
}

/** The files <stem>-00001-of-<count>.gguf … of a split model, of which `first` must be the first. */
async function openSplit(first: GgufFile, count: number, resolve: OpenGgufOptions["resolve"], signal?: AbortSignal): Promise<GgufFile[]> {
  const { name } = first.source;
  const part = (index: number): string => `-${String(index + 1).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.gguf`;
  if (!name.endsWith(part(0))) throw new FormatError(`${name}: one of the ${count} files of a split model: open the first, …${part(0)}, with the others beside it`);
  if (resolve === undefined) throw new FormatError(`${name}: the other ${count - 1} files of the split model are needed: open the folder, or all of the files`);
  const stem = name.slice(0, -part(0).length);
  const files = [first];
  for (let index = 1; index < count; index++) files.push(await openFile(await resolve(stem + part(index)), signal));
  files.forEach(({ header, source }, index) => {
    const number = header.metadata.get("split.no");
    if (number !== index || header.metadata.get("split.count") !== count) throw new FormatError(`${source.name}: is not file ${index + 1} of ${count} by its own metadata`);
  });
  return files;
}

/**
 * Where each tensor lies. The data begin at the first multiple of the alignment after the header; the tensors, each at
 * such a multiple, cover them once: no overlap, and no gap but the padding.
 */
function placeTensors({ metadata, tensors, end }: GgufHeader, source: ByteSource): StoredTensor[] {
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || !Number.isInteger(Math.log2(alignment)) || alignment < 1) {
    throw new FormatError(`metadata "general.alignment": ${alignment} is no power of two`);
  }
  checkQuantization(metadata, tensors);
  const padded = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
  const dataStart = padded(end);
  const sorted = [...tensors].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let at = 0;
  for (const { name, offset, byteLength } of sorted) {
    const expected = padded(at);
    const place = `tensor ${JSON.stringify(name)}`;
    if (offset < expected) throw new FormatError(`${place}: ${offset < at ? "overlaps the one before it" : `begins at byte ${offset} of the data, not at a multiple of ${alignment}`}`);
    if (offset > expected) throw new FormatError(`${place}: ${offset - expected} bytes before it belong to no tensor`);
    at = offset + byteLength;
  }
  const dataBytes = source.size - dataStart;
  if (at > 0 && at > dataBytes) throw new FormatError(`the file ends ${at - dataBytes} bytes before its last tensor does: it was not downloaded or copied whole`);
  if (padded(at) < dataBytes) throw new FormatError(`${dataBytes - at} bytes after the last tensor belong to none`);
  return sorted.map(({ name, dtype, shape, byteLength, offset }) => ({ name, dtype, shape, byteLength, source, begin: dataStart + offset }));
}

function checkQuantization(metadata: GgufMetadata, tensors: readonly GgufTensorInfo[]): void {
  const version = metadata.get("general.quantization_version") ?? 2;
  if (version !== 2 && tensors.some(({ dtype }) => isBlockType(dtype))) throw new FormatError(`quantization version ${version} is not supported, only 2: quantise the model anew`);
}
