// Activation functions.
import source from "/shaders/activation.wgsl?raw";
import activation from "/shaders/include/activation.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import { BYTES } from "../tensor/dtype.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { bandsOf } from "./bands.ts";
import { copyInto } from "./copy.ts";
import { defineKernel } from "./kernel.ts";
import { ceilToQuad, inQuads, padRows } from "./pad.ts";

const kernel = defineKernel({ name: "activation", source, includes: [activation, grid], strided: ["x", "out"] });

/** Their numbers in shaders/include/activation.wgsl. gelu is the exact one, by erf. */
export const ACTIVATIONS = { none: 0, relu: 1, silu: 2, gelu: 3, "gelu-tanh": 4, "quick-gelu": 5 } as const;

export type Activation = keyof typeof ACTIVATIONS;

/** The activation of every element. x any view up to rank 6 → the same shape and dtype. Throws ShapeError. */
export function activate(x: Tensor, kind: Activation): Tensor {
  using scope = x.gpu.scope();
  const out = scope.keep(empty(x.gpu, x.shape, x.dtype));
  if (x.size === 0) return out;
  const size = ceilToQuad(x.size);
  const from = inQuads(padRows(inQuads(x).reshape([1, -1]), size)).reshape([-1, 4]);
  const target = size === x.size ? out : empty(x.gpu, [size], x.dtype);
  const to = target.reshape([-1, 4]);
  for (const { start, end } of bandsOf(x.gpu, "activation", size / 4, { rowBytes: [4 * BYTES[x.dtype]], strided: true })) {
    kernel.run({ x: from.slice(0, start, end), out: to.slice(0, start, end) }, { quads: end - start }, [Math.ceil((end - start) / 64)], { constants: { ACTIVATION: ACTIVATIONS[kind] } });
  }
  if (target !== out) copyInto(target.slice(0, 0, x.size), out.reshape([-1]));
  return out;
}
