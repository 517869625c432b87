// Softmax over the last axis.
import grid from "/shaders/include/grid.wgsl?raw";
import reduce from "/shaders/include/reduce.wgsl?raw";
import source from "/shaders/softmax.wgsl?raw";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "softmax", source, includes: [grid, reduce] });

/** exp(x) / Σ exp(x) along the last axis. x [..., C] → the same shape and dtype; sums are f32. Throws ShapeError. */
export function softmax(x: Tensor): Tensor {
  const cols = x.dim(-1);
  const out = empty(x.gpu, x.shape, x.dtype);
  if (x.size === 0) return out;
  using scope = x.gpu.scope();
  const rows = x.size / cols;
  kernel.run({ x: contiguous(x), out }, { rows, cols }, [rows], { flops: 5 * x.size });
  return scope.keep(out);
}
