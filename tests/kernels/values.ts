// Values for kernel tests: random tensors that the reference knows exactly, and the comparison with it.
import { expect } from "vitest";
import { float16ToFloat32, float32ToFloat16 } from "../../src/formats/dtype.ts";
import type { Gpu } from "../../src/gpu/gpu.ts";
import { sizeOf, type Shape } from "../../src/tensor/shape.ts";
import { read, type Tensor, upload } from "../../src/tensor/tensor.ts";

export type Float = "f32" | "f16";

/** A tensor on the GPU and the values it holds there, after rounding to its dtype. */
export interface Known {
  readonly tensor: Tensor;
  readonly values: Float64Array;
}

/** Uniform values in -scale … scale, the same for the same seed. */
export function random(gpu: Gpu, shape: Shape, dtype: Float, seed: number, scale = 1): Known {
  const next = lcg(seed);
  return known(gpu, Float64Array.from({ length: sizeOf(shape) }, () => scale * (2 * next() - 1)), shape, dtype);
}

/** These values, rounded to the dtype. */
export function known(gpu: Gpu, wished: ArrayLike<number>, shape: Shape, dtype: Float): Known {
  if (dtype === "f32") {
    const data = Float32Array.from(wished);
    return { tensor: upload(gpu, data, shape, "f32"), values: Float64Array.from(data) };
  }
  const data = Uint16Array.from(float32ToFloat16(Float32Array.from(wished)));
  return { tensor: upload(gpu, data, shape, "f16"), values: Float64Array.from(float16ToFloat32(data)) };
}

/** Reads a tensor and compares: the largest difference stays below `tolerance` times the largest expected value. */
export async function expectClose(got: Tensor, expected: ArrayLike<number>, tolerance = got.dtype === "f16" ? 1e-2 : 1e-4): Promise<void> {
  const values = await readFloats(got);
  expect(values.length).toBe(expected.length);
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    const difference = Math.abs(values[i] - expected[i]);
    worst = difference > worst || Number.isNaN(difference) ? difference : worst;
  }
  expect(worst).toBeLessThanOrEqual(tolerance * largest);
}

/** The values of an f32 or f16 tensor. */
export async function readFloats(tensor: Tensor): Promise<Float64Array> {
  const data = await read(tensor);
  return Float64Array.from(data instanceof Uint16Array ? float16ToFloat32(data) : data);
}

/** A linear congruential generator of numbers in 0 … 1 (Numerical Recipes' constants). */
export function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}
