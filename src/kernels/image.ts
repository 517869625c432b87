// From what a decoder gives, -1 … 1, to pictures.
import source from "/shaders/image.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import { expectShape } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { cast, contiguous } from "./copy.ts";
import { affine, clamp } from "./elementwise.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "image", source, includes: [grid] });

/** x [N, H, W, 3] in -1 … 1 → u32 [N, H, W], whose little-endian bytes are red, green, blue, 255, as a canvas takes them; halves round to even, as numpy's. Throws ShapeError. */
export function toPixels(x: Tensor): Tensor {
  expectShape("toPixels: x", x, [null, null, null, 3]);
  const out = empty(x.gpu, x.shape.slice(0, 3), "u32");
  using scope = x.gpu.scope();
  kernel.run({ x: contiguous(x), out }, { count: out.size }, [Math.ceil(out.size / 64)]);
  return scope.keep(out);
}

/** x [N, H, W, 3] in -1 … 1 → f32 of the same shape in 0 … 1: clamp(x / 2 + 1/2, 0, 1). Throws ShapeError. */
export function toUnit(x: Tensor): Tensor {
  expectShape("toUnit: x", x, [null, null, null, 3]);
  using scope = x.gpu.scope();
  const wide = x.dtype === "f32" ? x : cast(x, "f32");
  return scope.keep(clamp(affine(wide, 0.5, 0.5), 0, 1));
}
