// Copies: a view made contiguous, a tensor of another type, a part of another tensor.
import source from "/shaders/copy.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import strided from "/shaders/include/strided.wgsl?raw";
import type { DType } from "../tensor/dtype.ts";
import { expectShape } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { defineKernel } from "./kernel.ts";
import { expectRank, runStrided } from "./strided.ts";

const kernel = defineKernel({ name: "copy", source, includes: [grid, strided], strided: ["x", "out"] });

/** The same values in row-major order where kernels can bind them: `x` itself (another handle) if it is so already, else a copy. */
export function contiguous(x: Tensor): Tensor {
  return x.binding() ? x.view() : cast(x, x.dtype);
}

/** A contiguous copy of any view up to rank 6, converted to `dtype`. f32 → f16 rounds to nearest even; what passes f16's range becomes infinite. Throws ShapeError. */
export function cast(x: Tensor, dtype: DType): Tensor {
  expectRank("copy: x", x);
  const out = empty(x.gpu, x.shape, dtype);
  runStrided(kernel, { x, out });
  return out;
}

/** Writes x into a view of the same shape, converted to its type; the view belongs to a tensor that its maker has not handed out yet. Throws ShapeError. */
export function copyInto(x: Tensor, out: Tensor): void {
  expectRank("copy: x", x);
  expectShape("copy: out", out, x.shape);
  runStrided(kernel, { x, out });
}
