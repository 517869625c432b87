// Copies: a view made contiguous, a tensor of another type.
import copySource from "/shaders/copy.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import type { DType } from "../tensor/dtype.ts";
import { formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "copy", source: copySource, includes: [grid], strided: ["x"] });

/** The same values in row-major order where kernels can bind them: `x` itself (another handle) if it is so already, else a copy. */
export function contiguous(x: Tensor): Tensor {
  return x.binding() ? x.view() : cast(x, x.dtype);
}

/** A contiguous copy of any view up to rank 6, converted to `dtype`. f32 → f16 rounds to nearest even; what passes f16's range becomes infinite. */
export function cast(x: Tensor, dtype: DType): Tensor {
  if (x.rank > 6) throw new ShapeError(`copy: rank at most 6, got ${formatShape(x.shape)}`);
  const out = empty(x.gpu, x.shape, dtype);
  copyInto(x, out);
  return out;
}

function copyInto(x: Tensor, out: Tensor): void {
  const lead = 6 - x.rank;
  const extent = (axis: number) => (axis < lead ? 1 : x.shape[axis - lead]);
  const stride = (axis: number) => (axis < lead ? 0 : x.strides[axis - lead]);
  const params: Record<string, number> = { size: x.size };
  for (let axis = 0; axis < 6; axis++) {
    if (axis) params[`shape${axis}`] = extent(axis);
    params[`stride${axis}`] = stride(axis);
  }
  kernel.run({ x, out }, params, [Math.ceil(x.size / 64)]);
}
