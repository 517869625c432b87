// Rotary position embedding (Su et al. 2021, arXiv 2104.09864), in the halves of a head as transformers has it.
import grid from "/shaders/include/grid.wgsl?raw";
import source from "/shaders/rope.wgsl?raw";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "rope", source, includes: [grid], strided: ["x", "out"] });

export interface RopeOptions {
  /** Position of the first token. */
  readonly start?: number;
  /** i32 [B]: how much lower the positions of a row are; below 0 they count as 0. */
  readonly padding?: Tensor;
  /** Where to write, such as a view of a cache; x's shape, its last axis contiguous. A new tensor of x's dtype unless given. */
  readonly out?: Tensor;
}

/**
 * Turns channels i and i + R/2 of every head by the angles of the token's position; channels from R on stay. x [B, T, H, D], any
 * view whose last axis is contiguous; table f32 [positions, R]: R/2 cosines and R/2 sines of each position. Throws ShapeError.
 */
export function rope(x: Tensor, table: Tensor, { start = 0, padding, out: given }: RopeOptions = {}): Tensor {
  expectShape("rope: x", x, [null, null, null, null]);
  const [batch, tokens, heads, size] = x.shape;
  expectShape("rope: table", table, [null, null]);
  const [positions, rotary] = table.shape;
  if (rotary > size || rotary % 2) throw new ShapeError(`rope: table expected an even number of at most ${size} columns, got ${formatShape(table.shape)}`);
  if (start < 0 || start + tokens > positions) throw new ShapeError(`rope: positions ${start}…${start + tokens - 1}, the table has ${positions}`);
  if (padding) expectShape("rope: padding", padding, [batch]);
  if (given) expectShape("rope: out", given, x.shape);
  if (given && given.strides[3] !== 1) throw new ShapeError("rope: out expected a contiguous last axis");
  const out = given ?? empty(x.gpu, x.shape, x.dtype);
  if (x.size === 0) return out;
  using scope = x.gpu.scope();
  const from = x.strides[3] === 1 ? x.view() : contiguous(x);
  const lanes = size - rotary / 2;
  const count = batch * tokens * heads * lanes;
  kernel.run(
    { x: from, table, padding: padding ?? table, out },
    {
      count, tokens, heads, lanes, start, half: rotary / 2,
      x_batch: from.strides[0], x_row: from.strides[1], x_head: from.strides[2],
      out_batch: out.strides[0], out_row: out.strides[1], out_head: out.strides[2],
    },
    [Math.ceil(count / 64)],
    { constants: { PADDED: padding ? 1 : 0 }, flops: 6 * count },
  );
  return scope.keep(out);
}
