// A tensor: a view (shape, strides, offset) of reference-counted GPU storage. Methods make views; functions launch kernels.
import "../gpu/symbol-dispose.ts";
import type { Binding, Gpu } from "../gpu/gpu.ts";
import type { Scope } from "../gpu/scope.ts";
import type { Storage } from "../gpu/storage.ts";
import { type ArrayOf, arrayOf, BYTES, type DType } from "./dtype.ts";
import { axisOf, formatShape, type Shape, ShapeError, sizeOf, stridesOf } from "./shape.ts";

export class Tensor {
  readonly size: number;
  readonly #scope: Scope | null;
  #disposed = false;

  /** Takes over one reference to `storage` and joins the open scope. Strides and offset in elements. */
  constructor(
    readonly gpu: Gpu,
    readonly storage: Storage,
    readonly shape: Shape,
    readonly dtype: DType,
    readonly strides: readonly number[] = stridesOf(shape),
    readonly offset = 0,
  ) {
    this.size = sizeOf(shape);
    this.#scope = gpu.openScope;
    this.#scope?.add(this);
  }

  get rank(): number {
    return this.shape.length;
  }

  /** Bytes of its elements (of the view, not of the storage). */
  get bytes(): number {
    return this.size * BYTES[this.dtype];
  }

  /** The extent of an axis; negative counts from the end. */
  dim(axis: number): number {
    return this.shape[axisOf("dim", axis, this.rank)];
  }

  /** Whether the elements lie in row-major order without gaps. */
  get contiguous(): boolean {
    let step = 1;
    for (let axis = this.rank - 1; axis >= 0; axis--) {
      if (this.shape[axis] === 1) continue;
      if (this.strides[axis] !== step) return false;
      step *= this.shape[axis];
    }
    return true;
  }

  /** Same elements, other shape; one extent may be -1. Needs contiguous elements. */
  reshape(shape: Shape): Tensor {
    const known = shape.reduce((size, n) => (n === -1 ? size : size * n), 1);
    const resolved = shape.map((n) => (n === -1 ? this.size / known : n));
    if (sizeOf(resolved) !== this.size || resolved.some((n) => !Number.isInteger(n) || n < 0)) throw new ShapeError(`reshape: ${formatShape(this.shape)} to ${formatShape(shape)}`);
    if (!this.contiguous) throw new ShapeError(`reshape: ${formatShape(this.shape)} is not contiguous; copy it first`);
    return this.#view(resolved, stridesOf(resolved), this.offset);
  }

  /** Elements start … end-1 of an axis. */
  slice(axis: number, start: number, end: number): Tensor {
    const at = axisOf("slice", axis, this.rank);
    if (!(start >= 0 && start <= end && end <= this.shape[at])) throw new ShapeError(`slice: ${start}…${end} of axis ${axis} of ${formatShape(this.shape)}`);
    const shape = this.shape.with(at, end - start);
    return this.#view(shape, this.strides, this.offset + start * this.strides[at]);
  }

  /** Axes in another order, as numpy.transpose. */
  permute(...axes: number[]): Tensor {
    if ([...axes].sort((a, b) => a - b).some((axis, i) => axis !== i) || axes.length !== this.rank) throw new ShapeError(`permute: axes ${formatShape(axes)} of ${formatShape(this.shape)}`);
    return this.#view(axes.map((axis) => this.shape[axis]), axes.map((axis) => this.strides[axis]), this.offset);
  }

  /** Repeats extents of 1 up to `shape`, without a copy. */
  broadcastTo(shape: Shape): Tensor {
    const lead = shape.length - this.rank;
    const strides = shape.map((n, axis) => {
      const own = axis < lead ? 1 : this.shape[axis - lead];
      if (own !== n && own !== 1) throw new ShapeError(`broadcastTo: ${formatShape(this.shape)} to ${formatShape(shape)}`);
      return own === 1 ? 0 : this.strides[axis - lead];
    });
    if (lead < 0) throw new ShapeError(`broadcastTo: ${formatShape(this.shape)} to ${formatShape(shape)}`);
    return this.#view(shape, strides, this.offset);
  }

  /** Another handle on the same elements, for another scope or owner. */
  view(): Tensor {
    return this.#view(this.shape, this.strides, this.offset);
  }

  /** Gives up this handle; the last handle on the storage frees it. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#scope?.remove(this);
    this.storage.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The bytes a kernel binds: the elements themselves if they are contiguous and aligned, else null. */
  binding(): Binding | null {
    const offset = this.offset * BYTES[this.dtype];
    return this.contiguous && offset % this.gpu.limits.minStorageBufferOffsetAlignment === 0 ? { storage: this.storage, offset, bytes: this.bytes } : null;
  }

  #view(shape: Shape, strides: readonly number[], offset: number): Tensor {
    return new Tensor(this.gpu, this.storage.retain(), shape, this.dtype, strides, offset);
  }
}

/** A tensor of unspecified values. `recycle` false for what lives long, such as weights. Throws GpuError past the device's largest buffer. */
export function empty(gpu: Gpu, shape: Shape, dtype: DType, { recycle = true, label = "tensor" } = {}): Tensor {
  return new Tensor(gpu, gpu.memory.allocate(sizeOf(shape) * BYTES[dtype], `${label} ${formatShape(shape)} ${dtype}`, recycle), shape, dtype);
}

/** A tensor with these values; `data.length` must fit `shape`. */
export function upload<D extends DType>(gpu: Gpu, data: ArrayOf[D], shape: Shape, dtype: D): Tensor {
  if (data.length !== sizeOf(shape)) throw new ShapeError(`upload: ${data.length} values for ${formatShape(shape)}`);
  const tensor = empty(gpu, shape, dtype);
  writeBytes(tensor, 0, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return tensor;
}

/** Writes bytes into a contiguous tensor from a byte offset on (a multiple of 4); a last odd f16 is padded. */
export function writeBytes(tensor: Tensor, offset: number, bytes: Uint8Array<ArrayBuffer>): void {
  const whole = bytes.byteLength & ~3;
  const start = tensor.offset * BYTES[tensor.dtype] + offset;
  if (whole) tensor.gpu.write(tensor.storage, start, bytes.subarray(0, whole));
  if (whole === bytes.byteLength) return;
  const tail = new Uint8Array(4);
  tail.set(bytes.subarray(whole));
  tensor.gpu.write(tensor.storage, start + whole, tail);
}

/** The values, once the GPU has them. The tensor must be contiguous. f16 comes as its 16 bits. Throws GpuError. */
export async function read<D extends DType>(tensor: Tensor & { readonly dtype: D }): Promise<ArrayOf[D]>;
export async function read(tensor: Tensor): Promise<ArrayOf[DType]> {
  if (!tensor.contiguous) throw new ShapeError(`read: ${formatShape(tensor.shape)} is not contiguous; copy it first`);
  const { gpu, storage, dtype, bytes } = tensor;
  const first = tensor.offset * BYTES[dtype];
  const start = first & ~3;
  const buffer = await gpu.read({ storage, offset: start, bytes: first - start + bytes });
  return arrayOf(dtype, start === first ? buffer : buffer.slice(first - start));
}
