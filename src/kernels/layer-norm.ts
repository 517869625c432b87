// Layer norm (Ba et al. 2016, arXiv 1607.06450).
import grid from "/shaders/include/grid.wgsl?raw";
import reduce from "/shaders/include/reduce.wgsl?raw";
import source from "/shaders/layer-norm.wgsl?raw";
import { expectShape } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "layer-norm", source, includes: [grid, reduce] });

/** x [..., C] normalised over the last axis, times weight [C], plus bias [C] if there is one → x's shape and dtype. Statistics are f32. Throws ShapeError. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor | null, eps: number): Tensor {
  const cols = x.dim(-1);
  expectShape("layerNorm: weight", weight, [cols]);
  if (bias) expectShape("layerNorm: bias", bias, [cols]);
  const out = empty(x.gpu, x.shape, x.dtype);
  if (x.size === 0) return out;
  using scope = x.gpu.scope();
  const rows = x.size / cols;
  const operands = { x: contiguous(x), weight: contiguous(weight), bias: contiguous(bias ?? weight), out };
  kernel.run(operands, { rows, cols, eps }, [rows], { constants: { BIASED: bias ? 1 : 0 }, flops: 8 * x.size });
  return scope.keep(out);
}
