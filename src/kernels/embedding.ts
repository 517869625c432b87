// Rows of a table by their numbers.
import source from "/shaders/embedding.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import { BYTES } from "../tensor/dtype.ts";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { bandsOf } from "./bands.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "embedding", source, includes: [grid], strided: ["table"] });

/**
 * out[..., :] = table[ids[...], :]. ids i32 [...], table [V, D], f32 or f16 → [..., D] of the table's dtype. A table past the binding
 * limit is read in bands of rows. An id outside 0 … V-1 gives zeros: who has the numbers checks them. Throws ShapeError.
 */
export function embedding(ids: Tensor, table: Tensor): Tensor {
  expectShape("embedding: table", table, [null, null]);
  if (ids.dtype !== "i32") throw new ShapeError(`embedding: ids expected i32 ${formatShape(ids.shape)}, got ${ids.dtype}`);
  const { gpu } = ids;
  const [rows, cols] = table.shape;
  const out = empty(gpu, [...ids.shape, cols], table.dtype);
  if (out.size === 0) return out;
  using scope = gpu.scope();
  const numbers = contiguous(ids);
  const whole = contiguous(table);
  for (const { start, end } of bandsOf(gpu, "embedding", rows, { rowBytes: [cols * BYTES[table.dtype]], strided: true })) {
    const params = { count: out.size, cols, first: start, rows: end - start, all_rows: rows };
    kernel.run({ ids: numbers, table: whole.slice(0, start, end), out }, params, [Math.ceil(out.size / 64)]);
  }
  return scope.keep(out);
}
