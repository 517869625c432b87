// Upsampling by repetition (nearest neighbour).
import grid from "/shaders/include/grid.wgsl?raw";
import source from "/shaders/upsample.wgsl?raw";
import { BYTES } from "../tensor/dtype.ts";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { bandsOf } from "./bands.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "upsample", source, includes: [grid], strided: ["x", "out"] });

/**
 * x [N, H, W, C] resized to `size` [H', W'] as torch's interpolate(mode="nearest") does: out[y, x] = x[⌊y·H/H'⌋, ⌊x·W/W'⌋], the
 * product in f32 → [N, H', W', C]. In bands of rows past the binding limit. Throws ShapeError.
 */
export function upsampleNearest(x: Tensor, [outHeight, outWidth]: readonly [number, number]): Tensor {
  expectShape("upsampleNearest: x", x, [null, null, null, null]);
  if (![outHeight, outWidth].every((n) => Number.isInteger(n) && n > 0)) throw new ShapeError(`upsampleNearest: size expected [H', W'], got ${formatShape([outHeight, outWidth])}`);
  const { gpu, shape: [samples, height, width, channels] } = x;
  const out = empty(gpu, [samples, outHeight, outWidth, channels], x.dtype);
  if (x.size === 0) return out;
  using scope = gpu.scope();
  const input = contiguous(x);
  const y_step = Math.fround(height / outHeight);
  const sourceRow = (y: number) => Math.min(Math.floor(Math.fround(y * y_step)), height - 1);
  const sizes = { channels, height, width, out_width: outWidth, y_step, x_step: width / outWidth };
  const fits = Math.max(x.bytes, out.bytes) <= gpu.limits.maxStorageBufferBindingSize;
  const together = fits ? samples : 1;
  const rowBytes = [outWidth, width * Math.ceil(height / outHeight)].map((row) => row * channels * BYTES[x.dtype]); // of out, and of x for a row of out
  for (let n = 0; n < samples; n += together) {
    const bands = fits ? [{ start: 0, end: outHeight }] : bandsOf(gpu, "upsampleNearest", outHeight, { rowBytes, strided: true });
    for (const { start, end } of bands) {
      const [first, last] = fits ? [0, height] : [sourceRow(start), sourceRow(end - 1) + 1];
      const part = input.slice(0, n, n + together).slice(1, first, last);
      const target = out.slice(0, n, n + together).slice(1, start, end);
      const params = { ...sizes, count: target.size, first, out_first: start, bound: last - first, out_bound: end - start };
      kernel.run({ x: part, out: target }, params, [Math.ceil(target.size / 64)]);
    }
  }
  return scope.keep(out);
}
