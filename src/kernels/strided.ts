// Launches over the elements of strided views: neighbouring axes merged, and halved until every operand fits a binding.
import { BYTES } from "../tensor/dtype.ts";
import { formatShape, ShapeError, sizeOf } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Kernel } from "./kernel.ts";

export const MAX_RANK = 6;
const WORKGROUP = 256;

/** Throws ShapeError past the rank that strided kernels read. */
export function expectRank(what: string, x: Tensor): void {
  if (x.rank > MAX_RANK) throw new ShapeError(`${what}: rank at most ${MAX_RANK}, got ${formatShape(x.shape)}`);
}

/**
 * Runs a kernel that includes strided.wgsl once per element. All operands have one shape (broadcast views count), are listed
 * as strided in the kernel, and have `<operand>_stride0` … `5` among its parameters. What passes the device's binding limit
 * is launched in several parts, each a view of the same storage.
 */
export function runStrided(kernel: Kernel, operands: Readonly<Record<string, Tensor>>, params: Readonly<Record<string, number>> = {}, constants: Readonly<Record<string, number>> = {}, flops = 0): void {
  const tensors = Object.values(operands);
  const [{ shape, size, gpu }] = tensors;
  if (size === 0) return;
  const large = tensors.find((tensor) => spanBytes(tensor) > gpu.limits.maxStorageBufferBindingSize);
  if (large && size > 1) {
    using _views = gpu.scope();
    const reach = shape.map((n, axis) => (n - 1) * Math.max(1, large.strides[axis]));
    const axis = reach.indexOf(Math.max(...reach));
    const half = Math.ceil(shape[axis] / 2);
    for (const [start, end] of [[0, half], [half, shape[axis]]]) {
      const part = Object.fromEntries(Object.entries(operands).map(([name, tensor]) => [name, tensor.slice(axis, start, end)]));
      runStrided(kernel, part, params, constants, (flops * (end - start)) / shape[axis]);
    }
    return;
  }
  const merged = mergeAxes(shape, tensors.map(({ strides }) => strides));
  const filled: Record<string, number> = { ...params, size };
  for (let axis = 1; axis < MAX_RANK; axis++) filled[`shape${axis}`] = aligned(merged.shape, axis, 1);
  Object.keys(operands).forEach((name, i) => {
    for (let axis = 0; axis < MAX_RANK; axis++) filled[`${name}_stride${axis}`] = aligned(merged.strides[i], axis, 0);
  });
  kernel.run(operands, filled, [Math.ceil(size / WORKGROUP)], { constants: { RANK: merged.shape.length, ...constants }, flops });
}

/** The same elements with as few axes as all views allow, at least one. */
export function mergeAxes(shape: readonly number[], strides: readonly (readonly number[])[]): { shape: number[]; strides: number[][] } {
  const merged: { shape: number[]; strides: number[][] } = { shape: [], strides: strides.map(() => []) };
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const n = shape[axis];
    if (n === 1) continue;
    const continues = merged.shape.length > 0 && strides.every((own, i) => own[axis] === merged.strides[i][0] * merged.shape[0]);
    if (continues) {
      merged.shape[0] *= n;
      continue;
    }
    merged.shape.unshift(n);
    strides.forEach((own, i) => merged.strides[i].unshift(own[axis]));
  }
  if (!merged.shape.length) return { shape: [sizeOf(shape)], strides: strides.map(() => [0]) };
  return merged;
}

/** The value of an axis when the list is aligned to the last of six axes. */
function aligned(values: readonly number[], axis: number, missing: number): number {
  return values[axis - (MAX_RANK - values.length)] ?? missing;
}

/** Bytes from an aligned start to the last element, at most. */
function spanBytes({ gpu, shape, strides, dtype }: Tensor): number {
  const last = shape.reduce((sum, n, axis) => sum + (n - 1) * strides[axis], 0);
  return (last + 1) * BYTES[dtype] + gpu.limits.minStorageBufferOffsetAlignment;
}
