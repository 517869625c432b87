// Activation functions, and GEGLU (Shazeer 2020, arXiv 2002.05202).
import source from "/shaders/activation.wgsl?raw";
import gegluSource from "/shaders/geglu.wgsl?raw";
import activation from "/shaders/include/activation.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import strided from "/shaders/include/strided.wgsl?raw";
import { formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { defineKernel } from "./kernel.ts";
import { expectRank, runStrided } from "./strided.ts";

const kernel = defineKernel({ name: "activation", source, includes: [activation, grid, strided], strided: ["x", "out"] });
const gegluKernel = defineKernel({ name: "geglu", source: gegluSource, includes: [activation, grid, strided], strided: ["value", "gate", "out"] });

/** Their numbers in shaders/include/activation.wgsl. gelu is the exact one, by erf. */
export const ACTIVATIONS = { none: 0, relu: 1, silu: 2, gelu: 3, "gelu-tanh": 4, "quick-gelu": 5 } as const;

export type Activation = keyof typeof ACTIVATIONS;

/** The activation of every element. x any view up to rank 6 → the same shape. Throws ShapeError. */
export function activate(x: Tensor, kind: Activation): Tensor {
  expectRank("activate: x", x);
  const out = empty(x.gpu, x.shape, x.dtype);
  runStrided(kernel, { x, out }, {}, { ACTIVATION: ACTIVATIONS[kind] });
  return out;
}

/** x[..., :D] * gelu(x[..., D:]). x any view [..., 2D] up to rank 6 → [..., D]. Throws ShapeError. */
export function geglu(x: Tensor): Tensor {
  expectRank("geglu: x", x);
  const half = x.dim(-1) / 2;
  if (!Number.isInteger(half)) throw new ShapeError(`geglu: x expected an even last axis, got ${formatShape(x.shape)}`);
  using value = x.slice(-1, 0, half);
  using gate = x.slice(-1, half, 2 * half);
  const out = empty(x.gpu, value.shape, x.dtype);
  runStrided(gegluKernel, { value, gate, out });
  return out;
}
