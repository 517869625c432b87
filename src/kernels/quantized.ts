// Quantised matrices: times few vectors with the blocks decoded in registers, rows looked up, rows decoded for other kernels.
import dequantizeSource from "/shaders/dequantize.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import quantized from "/shaders/include/quantized.wgsl?raw";
import matvecSource from "/shaders/matvec-quantized.wgsl?raw";
import { formatShape, ShapeError } from "../tensor/shape.ts";
import { type Packing, planeWords, SCALES } from "../tensor/packing.ts";
import type { QuantizedTensor } from "../tensor/quantized.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { type Band, bandsOf, LAUNCH } from "./bands.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";
import type { LinearOptions } from "./linear-matmul.ts";
import { bindMatvec, defineMatvec, matvecVariant } from "./matvec.ts";

const matvecKernels = defineMatvec("matvec-quantized", matvecSource, ["x"], [quantized]);
const dequantizeKernel = defineKernel({ name: "dequantize", source: dequantizeSource, includes: [quantized, grid] });

/** activation(x Wᵀ + bias) + residual. x [..., K] of at most MATVEC_ROWS rows, weight [N, K] → [..., N]. Sums in f32. Throws ShapeError. */
export function matvecQuantized(x: Tensor, weight: QuantizedTensor, options: LinearOptions = {}): Tensor {
  const { gpu } = x;
  const [cols, terms] = weight.shape;
  using scope = gpu.scope();
  const { out, rows, given, bindings, params, constants } = bindMatvec("matvec", x, weight.shape, options);
  scope.keep(out);
  const { sum, defines } = matvecVariant(gpu, cols, true);
  for (const { start, end } of planeBands(weight, 2 * rows * terms)) {
    matvecKernels[sum].run(
      { ...bindings(start, end), ...planesOf(weight, start, end) },
      { ...params, cols: end - start, blocks: weight.blocks },
      [Math.ceil((end - start) / ((defines.COLS * defines.LANES) / defines.SHARE))],
      { flops: 2 * rows * (end - start) * terms, defines: { ...defines, ...definesOf(weight.packing), ROWS: given }, constants },
    );
  }
  return out;
}

/** The rows of a band that `planeBands` gave as numbers, [end - start, K]. */
export function dequantize(weight: QuantizedTensor, { start, end }: Band, dtype: "f32" | "f16"): Tensor {
  const out = empty(weight.gpu, [end - start, weight.dim(1)], dtype);
  using _scope = weight.gpu.scope();
  const planes = planesOf(weight, start, end);
  launch(weight, { ...planes, ids: empty(weight.gpu, [1], "i32"), out }, { first: 0, rows: end - start, all_rows: weight.dim(0) }, (end - start) * weight.blocks, 0);
  return out;
}

function launch(weight: QuantizedTensor, operands: Readonly<Record<string, Tensor>>, params: Readonly<Record<"first" | "rows" | "all_rows", number>>, blocks: number, GATHER: number): void {
  const QUADS = weight.gpu.traits.software ? 8 : 1; // the CPU plays best with few and large invocations
  const count = (blocks * 8) / QUADS;
  dequantizeKernel.run(operands, { ...params, count, blocks: weight.blocks }, [Math.ceil(count / 64)], { defines: { ...definesOf(weight.packing), QUADS }, constants: { GATHER } });
}

/** out[..., :] = table[ids[...], :]. ids i32 [...], table [V, D] → [..., D]. An id outside 0 … V-1 gives zeros. Throws ShapeError. */
export function embeddingQuantized(ids: Tensor, table: QuantizedTensor, dtype: "f32" | "f16"): Tensor {
  if (ids.dtype !== "i32") throw new ShapeError(`embedding: ids expected i32 ${formatShape(ids.shape)}, got ${ids.dtype}`);
  const [rows, cols] = table.shape;
  const out = empty(ids.gpu, [...ids.shape, cols], dtype);
  if (out.size === 0) return out;
  using scope = ids.gpu.scope();
  const numbers = contiguous(ids);
  for (const { start, end } of planeBands(table, 0)) {
    launch(table, { ...planesOf(table, start, end), ids: numbers, out }, { first: start, rows: end - start, all_rows: rows }, ids.size * table.blocks, 1);
  }
  return scope.keep(out);
}

/** Bands of at most `most` rows (or the fewest that can be bound) whose planes the device binds at once. */
export function planeBands(weight: QuantizedTensor, rowFlops: number, most = Infinity): Band[] {
  const { gpu, packing, blocks, planes, shape: [rows] } = weight;
  if (planes.low.bytes <= gpu.limits.maxStorageBufferBindingSize && rows * rowFlops <= LAUNCH.flops && rows <= most) return [{ start: 0, end: rows }]; // no plane is larger
  const { minStorageBufferOffsetAlignment: alignment } = gpu.limits;
  const aligned = planeWords(packing, alignment * blocks); // of so many rows, so without rounding
  const rowBytes = Object.values(aligned).filter(Boolean).map((words) => (4 * words) / alignment);
  const [{ end: height }] = bandsOf(gpu, "quantised weight", rows, { rowBytes, rowFlops });
  if (Math.min(height, most) >= rows) return [{ start: 0, end: rows }];
  let step = 1;
  while (rowBytes.some((bytes) => (step * bytes) % alignment !== 0)) step *= 2;
  const each = Math.max(step, Math.floor(Math.min(height, most) / step) * step);
  return Array.from({ length: Math.ceil(rows / each) }, (_, i) => ({ start: i * each, end: Math.min(rows, (i + 1) * each) }));
}

/** Views of the planes of rows start … end-1; those that the packing lacks are bound to another one. Call in a scope. */
export function planesOf({ packing, blocks, planes, shape }: QuantizedTensor, start: number, end: number): Record<"low" | "high" | "scales" | "supers", Tensor> {
  if (end - start === shape[0]) return { ...planes, high: planes.high ?? planes.low, supers: planes.supers ?? planes.low };
  const before = planeWords(packing, start * blocks);
  const after = planeWords(packing, end * blocks);
  const low = planes.low.slice(0, before.low, after.low);
  const slice = (name: keyof typeof planes) => planes[name]?.slice(0, before[name], after[name]) ?? low;
  return { low, high: slice("high"), scales: slice("scales"), supers: slice("supers") };
}

/** What a shader that includes quantized.wgsl is told of a packing. */
export function definesOf({ lowBits, highBits, scales, zero, table }: Packing): Record<string, number> {
  const [TABLE0, TABLE1, TABLE2, TABLE3] = table ?? [0, 0, 0, 0];
  return { LOW_BITS: lowBits, HIGH_BITS: highBits, SCALES: SCALES[scales], ZERO: zero, TABLE: Number(table !== null), TABLE0, TABLE1, TABLE2, TABLE3 };
}
