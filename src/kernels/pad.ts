// Rows made longer with zeros, for kernels that read four neighbours at once.
import source from "/shaders/pad-rows.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import { BYTES } from "../tensor/dtype.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { bandsOf } from "./bands.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "pad-rows", source, includes: [grid], strided: ["x", "out"] });

/** x [..., C] with zeros behind each row → [..., cols]; another handle on x itself if nothing is missing. */
export function padRows(x: Tensor, cols: number): Tensor {
  if (x.dim(-1) === cols) return x.view();
  const own = x.dim(-1);
  const rows = x.size / own;
  using scope = x.gpu.scope();
  const out = scope.keep(empty(x.gpu, [...x.shape.slice(0, -1), cols], x.dtype));
  const from = (x.contiguous ? x : contiguous(x)).reshape([rows, own]);
  const to = out.reshape([rows, cols]);
  for (const { start, end } of bandsOf(x.gpu, "pad-rows", rows, { rowBytes: [cols * BYTES[x.dtype]], strided: true })) {
    const size = (end - start) * cols;
    kernel.run({ x: from.slice(0, start, end), out: to.slice(0, start, end) }, { size, cols: own, out_cols: cols }, [Math.ceil(size / 256)]);
  }
  return out;
}

/** x itself (another handle) where its elements lie in order from a multiple of four on, else a copy. */
export function inQuads(x: Tensor): Tensor {
  return x.contiguous && x.offset % 4 === 0 ? x.view() : contiguous(x);
}

export function ceilToQuad(n: number): number {
  return Math.ceil(n / 4) * 4;
}
