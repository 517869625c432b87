// A checkpoint's tensors on their way into a network: shapes stated where they are taken, streamed to the GPU afterwards.
import { type Decoded, decodeTo, isStoredDtype } from "../formats/dtype.ts";
import type { TensorEntry, TensorFile } from "../formats/safetensors.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { BYTES } from "../tensor/dtype.ts";
import { formatShape, type Shape, sizeOf } from "../tensor/shape.ts";
import { empty, Tensor, writeBytes } from "../tensor/tensor.ts";
import { CheckpointError } from "./errors.ts";
import { type Matrices, type MatrixWeight, plainMatrices, type Quantization } from "./matrices.ts";

/** A weight as kernels read it: plain f32 or f16 rows. */
export type Weight = Tensor;

export { CheckpointError } from "./errors.ts";

/** `rows`: as stored. `conv2d`: stored [O, I, kh, kw] → [O, kh, kw, I], as NHWC kernels read it. */
export type WeightLayout = "rows" | "conv2d";

export interface WeightsOptions {
  /** Which part of the model this is, for errors: "unet". */
  readonly name: string;
  /** Type on the GPU. */
  readonly dtype: "f32" | "f16";
  /** Older or other names → ours; the first that matches is applied. */
  readonly renames?: readonly (readonly [from: RegExp, to: string])[];
  /** Tensors that published files carry and the network does not use. */
  readonly unused?: readonly RegExp[];
  /** The forms that matrices may have; plain numbers unless given. */
  readonly matrices?: Matrices;
  /** Quantises stored numbers of matrices, where these forms have blocks. A matrix whose rows are no multiple of 32 stays plain; stored blocks stay what they are. */
  readonly quantize?: Quantization;
}

export interface TakeOptions {
  readonly layout?: WeightLayout;
  /** Other shapes that older files have for the same values in the same order. */
  readonly or?: readonly Shape[];
  /** Type on the GPU, where it differs from the module's. */
  readonly dtype?: "f32" | "f16";
}

export interface PlaceOptions extends Pick<TakeOptions, "layout" | "or"> {
  /** An element of the weight. */
  readonly start?: number;
}

export interface LoadOptions {
  readonly signal?: AbortSignal;
  /** Called with the stored bytes read so far and in all. */
  readonly onProgress?: (loaded: number, total: number) => void;
}

const CHUNK_BYTES = 2 * 2 ** 20; // small enough that garbage waiting for its collector stays below 64 MiB
const IN_FLIGHT_BYTES = 64 * 2 ** 20; // queued writes live in the driver's memory until the GPU has run them

interface Taken {
  readonly stored: string;
  readonly weight: MatrixWeight;
  readonly layout: WeightLayout;
  /** Element of the weight that the stored tensor begins at. */
  readonly start: number;
}

interface Shared {
  readonly gpu: Gpu;
  readonly checkpoint: Pick<TensorFile, "tensors" | "stream">;
  readonly options: WeightsOptions;
  /** Our names → stored names. */
  readonly names: ReadonlyMap<string, string>;
  readonly taken: Map<string, Taken>;
  readonly problems: string[];
}

/** Hands out a network's weights by name below a prefix; `at` goes down. */
export class Weights {
  private constructor(private readonly shared: Shared, readonly prefix: string) {}

  /** All the tensors of a checkpoint. On a planning Gpu nothing is read, so headers alone suffice. */
  static of(gpu: Gpu, checkpoint: Pick<TensorFile, "tensors" | "stream">, options: WeightsOptions): Weights {
    if (options.quantize && !options.matrices?.blocks) throw new Error(`${options.name}: this network is not quantised: its matrices are plain numbers`);
    const names = new Map<string, string>();
    for (const stored of checkpoint.tensors.keys()) {
      const rename = options.renames?.find(([from]) => from.test(stored));
      names.set(rename ? stored.replace(rename[0], rename[1]) : stored, stored);
    }
    return new Weights({ gpu, checkpoint, options, names, taken: new Map(), problems: [] }, "");
  }

  get gpu(): Gpu {
    return this.shared.gpu;
  }

  get dtype(): "f32" | "f16" {
    return this.shared.options.dtype;
  }

  /** What reads its matrices. */
  get matrices(): Matrices {
    return this.shared.options.matrices ?? plainMatrices;
  }

  get quantize(): Quantization | undefined {
    return this.shared.options.quantize;
  }

  /** The weights below a name: `weights.at("mid_block").at("resnets.0")`. */
  at(name: string | number): Weights {
    return new Weights(this.shared, `${this.prefix}${name}.`);
  }

  has(name: string): boolean {
    return this.shared.names.has(this.prefix + name);
  }

  /** A weight of the expected stored shape, allocated now, filled by `load`. What does not fit is told by `finish`. Stored blocks become plain numbers. */
  take(name: string, shape: Shape, { layout = "rows", or = [], dtype = this.dtype }: TakeOptions = {}): Weight {
    const [o, i, kh, kw] = shape;
    return this.place(empty(this.gpu, layout === "conv2d" ? [o, kh, kw, i] : shape, dtype, { recycle: false, label: this.prefix + name }), name, shape, { layout, or });
  }

  /** As `take`, a matrix [N, K] that `linear` or `embedding` reads: quantised where it is stored in blocks, or where the options say so. */
  takeMatrix(name: string, shape: Shape, { or = [] }: Pick<TakeOptions, "or"> = {}): MatrixWeight {
    const { gpu, matrices, quantize } = this;
    const stored = this.stored(name);
    const blocks = stored && matrices.blocks?.allocate(gpu, shape, stored.dtype, quantize, this.prefix + name);
    return blocks ? this.place(blocks, name, shape, { or }) : this.take(name, shape, { or });
  }

  /** The file's tensor for a name. */
  stored(name: string): TensorEntry | undefined {
    const { names, checkpoint } = this.shared;
    const stored = names.get(this.prefix + name);
    return stored === undefined ? undefined : checkpoint.tensors.get(stored);
  }

  /** The weight, of which a stored tensor of this shape is to fill the elements from `start` on; `dispose` frees it. That the tensor is missing or misshapen is told by `finish`. */
  place<W extends MatrixWeight>(weight: W, name: string, shape: Shape, { layout = "rows", or = [], start = 0 }: PlaceOptions = {}): W {
    const { taken, options } = this.shared;
    const full = this.prefix + name;
    if (this.gpu.openScope) throw new Error(`${options.name}: weights are taken outside of scopes`);
    if (taken.has(full)) throw new Error(`${options.name}: ${full} is taken twice`);
    const entry = this.stored(name);
    const fits = entry && [shape, ...or].some((allowed) => allowed.length === entry.shape.length && allowed.every((n, axis) => n === entry.shape[axis]));
    if (!entry) this.refuse(`missing ${full} ${formatShape(shape)}`);
    else if (!fits) this.refuse(`${full} expected ${formatShape(shape)}, got ${formatShape(entry.shape)}`);
    taken.set(full, { stored: entry?.name ?? full, weight, layout, start });
    return weight;
  }

  /** Notes what of the checkpoint does not fit, for `finish`. */
  refuse(problem: string): void {
    this.shared.problems.push(problem);
  }

  /** Throws CheckpointError unless every tensor was taken, fits, and none is left over. */
  finish(): void {
    const { checkpoint, taken, problems, options } = this.shared;
    const used = new Set([...taken.values()].map(({ stored }) => stored));
    const left = [...checkpoint.tensors.keys()].filter((stored) => !used.has(stored) && !options.unused?.some((pattern) => pattern.test(stored)));
    const all = [...problems, ...left.map((stored) => `not part of this network: ${stored}`)];
    if (!all.length) return;
    const shown = all.length > 20 ? [...all.slice(0, 20), `and ${all.length - 20} more`] : all;
    throw new CheckpointError(`${options.name}: the checkpoint does not fit its config: ${shown.join("; ")}`);
  }

  /** Stored bytes of what was taken. */
  get storedBytes(): number {
    let bytes = 0;
    for (const { stored } of this.shared.taken.values()) bytes += this.shared.checkpoint.tensors.get(stored)?.byteLength ?? 0;
    return bytes;
  }

  /** Streams what was taken to the GPU, in the file's order, through small buffers. Throws FormatError, GpuError, or the signal's reason. */
  async load({ signal, onProgress }: LoadOptions = {}): Promise<void> {
    const { gpu, checkpoint, taken } = this.shared;
    if (gpu.planning) return;
    const byStored = new Map([...taken.values()].map((item) => [item.stored, item]));
    const total = this.storedBytes;
    let loaded = 0;
    let inFlight = 0;
    for (const stored of checkpoint.tensors.keys()) {
      const item = byStored.get(stored);
      if (!item) continue;
      for await (const bytes of this.#upload(item, signal)) {
        loaded += bytes;
        inFlight += bytes;
        if (inFlight >= IN_FLIGHT_BYTES) {
          await gpu.done();
          inFlight = 0;
        }
        onProgress?.(loaded, total);
      }
    }
    await gpu.done();
  }

  /** Frees every weight that was taken. */
  dispose(): void {
    for (const { weight } of this.shared.taken.values()) weight.dispose();
    this.shared.taken.clear();
  }

  /** Uploads one tensor; yields the stored bytes of each chunk. */
  async *#upload({ stored, weight, layout, start }: Taken, signal?: AbortSignal): AsyncGenerator<number> {
    const { checkpoint } = this.shared;
    const entry = checkpoint.tensors.get(stored);
    if (!entry) throw new CheckpointError(`${this.shared.options.name}: ${stored} is missing`);
    if (!(weight instanceof Tensor)) {
      const { blocks } = this.matrices;
      if (blocks) yield* blocks.fill(weight, start, entry, CHUNK_BYTES, (chunkBytes) => checkpoint.stream(stored, { signal, chunkBytes }));
      return;
    }
    const dtype = weight.dtype === "f16" ? "f16" : "f32";
    const row = layout === "conv2d" ? entry.byteLength / entry.shape[0] : entry.byteLength / Math.max(1, sizeOf(entry.shape));
    const chunkBytes = Math.max(1, Math.floor(CHUNK_BYTES / row / 4)) * 4 * row; // whole rows; four at a time keep offsets aligned
    let offset = start;
    for await (const bytes of checkpoint.stream(stored, { signal, chunkBytes })) {
      const values = this.#decode(entry, bytes, dtype);
      const laidOut = layout === "conv2d" ? channelsLast(values, entry.shape) : values;
      writeBytes(weight, offset * BYTES[dtype], bytesOf(laidOut));
      offset += values.length;
      yield bytes.byteLength;
    }
  }

  /** A tensor's stored bytes as numbers. Throws FormatError, or CheckpointError for blocks where nothing reads them. */
  #decode({ name, dtype }: TensorEntry, bytes: Uint8Array, to: "f32" | "f16"): Decoded["f32" | "f16"] {
    const { blocks } = this.matrices;
    if (blocks) return blocks.decode(dtype, bytes, to);
    if (isStoredDtype(dtype)) return decodeTo(dtype, bytes, to);
    throw new CheckpointError(`${this.shared.options.name}: ${name} is stored in blocks of ${dtype}: weights as plain numbers expected`);
  }
}

/** Rows [I, kh, kw] → [kh, kw, I]. */
function channelsLast<A extends Float32Array | Uint16Array>(rows: A, [, i, kh, kw]: Shape): A {
  const taps = kh * kw;
  if (taps === 1 || i === 1) return rows;
  const out = rows.slice() as A;
  const row = i * taps;
  for (let start = 0; start < rows.length; start += row) {
    for (let channel = 0; channel < i; channel++) {
      for (let tap = 0; tap < taps; tap++) out[start + tap * i + channel] = rows[start + channel * taps + tap];
    }
  }
  return out;
}

function bytesOf(values: Float32Array | Uint16Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = values;
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}
