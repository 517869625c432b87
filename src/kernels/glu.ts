// Gated linear units (Shazeer 2020, arXiv 2002.05202): one half of the channels times the activation of the other.
import source from "/shaders/glu.wgsl?raw";
import activationSource from "/shaders/include/activation.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import { BYTES } from "../tensor/dtype.ts";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { type Activation, ACTIVATIONS } from "./activation.ts";
import { bandsOf } from "./bands.ts";
import { copyInto } from "./copy.ts";
import { defineKernel } from "./kernel.ts";
import { ceilToQuad, inQuads, padRows } from "./pad.ts";

const kernel = defineKernel({ name: "glu", source, includes: [activationSource, grid], strided: ["value", "gate", "out"] });

/** value · activation(gate) of two tensors or views [..., D] of one shape and dtype → [..., D]. Throws ShapeError. */
export function glu(value: Tensor, gate: Tensor, activation: Activation): Tensor {
  expectShape("glu: gate", gate, value.shape);
  using scope = value.gpu.scope();
  const [v, g] = [value, gate].map((x) => inQuads(x).reshape([-1, x.dim(-1)]));
  return scope.keep(gateRows("glu", v, g, activation).reshape(value.shape));
}

/** activation(x[..., :D]) · x[..., D:], as fused projections of gate and value have it. x any view [..., 2D] up to rank 6 → [..., D]. Throws ShapeError. */
export function gluOfHalves(x: Tensor, activation: Activation): Tensor {
  using scope = x.gpu.scope();
  const [gate, value] = halves("glu", x);
  return scope.keep(gateRows("glu", value, gate, activation).reshape([...x.shape.slice(0, -1), value.dim(1)]));
}

/** x[..., :D] · gelu(x[..., D:]). x any view [..., 2D] up to rank 6 → [..., D]. Throws ShapeError. */
export function geglu(x: Tensor): Tensor {
  using scope = x.gpu.scope();
  const [value, gate] = halves("geglu", x);
  return scope.keep(gateRows("geglu", value, gate, "gelu").reshape([...x.shape.slice(0, -1), value.dim(1)]));
}

/** x [..., 2D] as two views [rows, D] of its rows. */
function halves(what: string, x: Tensor): [Tensor, Tensor] {
  const half = x.dim(-1) / 2;
  if (!Number.isInteger(half)) throw new ShapeError(`${what}: x expected an even last axis, got ${formatShape(x.shape)}`);
  const rows = inQuads(x).reshape([x.size / (2 * half), 2 * half]);
  return [rows.slice(1, 0, half), rows.slice(1, half, 2 * half)];
}

/** value and gate [rows, D], each with its own distance between rows → [rows, D]. */
function gateRows(what: string, value: Tensor, gate: Tensor, activation: Activation): Tensor {
  const [rows, width] = value.shape;
  const out = empty(value.gpu, [rows, width], value.dtype);
  if (out.size === 0) return out;
  const cols = ceilToQuad(width);
  const [v, g] = [value, gate].map((x) => (cols === width ? x : padRows(x, cols)));
  const target = cols === width ? out : empty(value.gpu, [rows, cols], value.dtype);
  const rowBytes = [v, g].map((x) => x.strides[0] * BYTES[x.dtype]);
  for (const { start, end } of bandsOf(value.gpu, what, rows, { rowBytes, strided: true })) {
    const quads = ((end - start) * cols) / 4;
    kernel.run(
      { value: v.slice(0, start, end), gate: g.slice(0, start, end), out: target.slice(0, start, end) },
      { quads, cols: cols / 4, value_row: v.strides[0] / 4, gate_row: g.strides[0] / 4 },
      [Math.ceil(quads / 64)],
      { constants: { ACTIVATION: ACTIVATIONS[activation] } },
    );
  }
  if (cols !== width) copyInto(target.slice(1, 0, width), out);
  return out;
}
