// Arithmetic element by element: two tensors with broadcasting, or one tensor and numbers. Computed in f32, stored in the first operand's type.
import binarySource from "/shaders/elementwise-binary.wgsl?raw";
import unarySource from "/shaders/elementwise-unary.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import strided from "/shaders/include/strided.wgsl?raw";
import stableTanh from "/shaders/include/tanh.wgsl?raw";
import { broadcastShapes, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { defineKernel } from "./kernel.ts";
import { expectRank, runStrided } from "./strided.ts";

const binaryKernel = defineKernel({ name: "elementwise-binary", source: binarySource, includes: [grid, strided], strided: ["a", "b", "out"] });
const unaryKernel = defineKernel({ name: "elementwise-unary", source: unarySource, includes: [grid, strided, stableTanh], strided: ["x", "out"] });

/** a + b, broadcast to rank 6 at most → the common shape, a's dtype. Throws ShapeError. */
export const add = (a: Tensor, b: Tensor): Tensor => binary("add", 0, a, b);

/** a − b; see `add`. */
export const sub = (a: Tensor, b: Tensor): Tensor => binary("sub", 1, a, b);

/** a · b; see `add`. */
export const mul = (a: Tensor, b: Tensor): Tensor => binary("mul", 2, a, b);

/** a / b; see `add`. */
export const div = (a: Tensor, b: Tensor): Tensor => binary("div", 3, a, b);

/** a + weight · (b − a); see `add`. */
export const lerp = (a: Tensor, b: Tensor, weight: number): Tensor => binary("lerp", 4, a, b, weight);

/**
 * Classifier-free guidance, u + scale · (c − u) (Ho & Salimans 2022). `model` [2N, ...] holds the unconditional
 * predictions u first, then the conditional ones c → [N, ...]. Throws ShapeError.
 */
export function guide(model: Tensor, scale: number): Tensor {
  if (model.rank === 0 || model.shape[0] % 2) throw new ShapeError(`guide: model expected [2N, ...], got ${formatShape(model.shape)}`);
  using scope = model.gpu.scope();
  const count = model.shape[0] / 2;
  return scope.keep(lerp(model.slice(0, 0, count), model.slice(0, count, 2 * count), scale));
}

/** scale · x + shift with numbers. Throws ShapeError. */
export const affine = (x: Tensor, scale: number, shift = 0): Tensor => unary("affine", 0, x, scale, shift);

/** x held within low … high. Throws ShapeError. */
export const clamp = (x: Tensor, low: number, high: number): Tensor => unary("clamp", 1, x, low, high);

/** tanh x. Throws ShapeError. */
export const tanh = (x: Tensor): Tensor => unary("tanh", 2, x);

/** cap · tanh(x / cap), which stays within ±cap. Throws ShapeError. */
export function softCap(x: Tensor, cap: number): Tensor {
  using scope = x.gpu.scope();
  return scope.keep(affine(tanh(affine(x, 1 / cap)), cap));
}

/** e^x. Throws ShapeError. */
export const exp = (x: Tensor): Tensor => unary("exp", 3, x);

function binary(name: string, operation: number, a: Tensor, b: Tensor, weight = 0): Tensor {
  for (const [operand, tensor] of [["a", a], ["b", b]] as const) expectReal(`${name}: ${operand}`, tensor);
  const shape = broadcastShapes(name, a.shape, b.shape);
  using scope = a.gpu.scope();
  const out = empty(a.gpu, shape, a.dtype);
  runStrided(binaryKernel, { a: a.broadcastTo(shape), b: b.broadcastTo(shape), out }, { weight }, { OPERATION: operation }, out.size);
  return scope.keep(out);
}

function unary(name: string, operation: number, x: Tensor, first = 0, second = 0): Tensor {
  expectReal(`${name}: x`, x);
  const out = empty(x.gpu, x.shape, x.dtype);
  runStrided(unaryKernel, { x, out }, { first, second }, { OPERATION: operation }, out.size);
  return out;
}

function expectReal(what: string, x: Tensor): void {
  expectRank(what, x);
  if (x.dtype !== "f32" && x.dtype !== "f16") throw new ShapeError(`${what} expected f32 or f16, got ${x.dtype}`);
}
