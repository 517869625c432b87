// y = x Wᵀ + b as a matrix product, in bands of W's rows that the device can bind.
import { BYTES, type DType } from "../tensor/dtype.ts";
import { expectShape, formatShape, type Shape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import type { Activation } from "./activation.ts";
import { type Band, bandsOf } from "./bands.ts";
import { copyInto } from "./copy.ts";
import { matmul } from "./matmul.ts";
import { ceilToQuad } from "./pad.ts";

/** What follows the sums of a linear layer. */
export interface LinearOptions {
  /** [N], added before the activation. */
  readonly bias?: Tensor;
  readonly activation?: Activation;
  /** [..., N], added after the activation. */
  readonly residual?: Tensor;
  /** Of the result; x's unless given. */
  readonly dtype?: DType;
}

/** activation(x Wᵀ + bias) + residual. x [..., K], weight [N, K] as checkpoints have it, also past the binding limit → [..., N]. Sums in f32. Throws ShapeError. */
export function linearByMatmul(x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  expectFactors(x, weight);
  const rowBytes = [ceilToQuad(weight.dim(1)) * BYTES[weight.dtype]]; // matmul makes whole quads of rows and of terms
  const bands = bandsOf(x.gpu, "linear", ceilToQuad(weight.dim(0)), { rowBytes, halo: 3, strided: true });
  return linearInBands(x, weight.shape, options, bands, ({ start, end }) => weight.slice(0, start, end));
}

/** Throws ShapeError unless x is [..., K] and weight [N, K]. */
export function expectFactors(x: Tensor, weight: { readonly shape: Shape }): void {
  if (x.rank < 1 || weight.shape.length !== 2 || x.dim(-1) !== weight.shape[1]) throw new ShapeError(`linear: x expected [..., K] and weight [N, K], got ${formatShape(x.shape)} and ${formatShape(weight.shape)}`);
}

/** The same with a matrix of this shape that comes in bands of its rows. */
export function linearInBands(x: Tensor, [cols, terms]: readonly number[], { bias, residual, ...options }: LinearOptions, all: readonly Band[], rowsOf: (band: Band) => Tensor): Tensor {
  const { gpu } = x;
  const shape = [...x.shape.slice(0, -1), cols];
  if (bias) expectShape("linear: bias", bias, [cols]);
  if (residual) expectShape("linear: residual", residual, shape);
  const bands = all.map(({ start, end }) => ({ start, end: Math.min(end, cols) })).filter(({ start }) => start < cols);
  using scope = gpu.scope();
  const flat = x.rank === 1 ? x.reshape([1, terms]) : x;
  const added = residual && x.rank === 1 ? residual.reshape([1, cols]) : residual;
  const product = (band: Band) =>
    matmul(flat, rowsOf(band), { ...options, transposeB: true, bias: bias?.slice(0, band.start, band.end), residual: added?.slice(-1, band.start, band.end) });
  if (bands.length === 1) return scope.keep(product(bands[0]).reshape(shape));
  const out = scope.keep(empty(gpu, shape, options.dtype ?? x.dtype));
  const whole = out.reshape([...flat.shape.slice(0, -1), cols]);
  for (const band of bands) {
    using _band = gpu.scope();
    copyInto(product(band), whole.slice(-1, band.start, band.end));
  }
  return out;
}
