// y = x Wᵀ + b as a matrix product, in bands of W's rows that the device can bind.
import { BYTES, type DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Activation } from "./activation.ts";
import { type Band, bandsOf } from "./bands.ts";
import { concat } from "./concat.ts";
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

/** activation(x Wᵀ + bias) + residual. x [..., M, K], weight [N, K] as checkpoints have it, also past the binding limit → [..., M, N]. Sums in f32. Throws ShapeError. */
export function linearByMatmul(x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  const { bias, residual } = options;
  const bands = linearBands(weight);
  if (bands.length === 1) return matmul(x, weight, { ...options, transposeB: true });
  using scope = x.gpu.scope();
  const parts = bands.map(({ start, end }) => matmul(x, weight.slice(0, start, end), { ...options, transposeB: true, bias: bias?.slice(0, start, end), residual: residual?.slice(-1, start, end) }));
  return scope.keep(concat(parts, -1));
}

/** Rows of W that the device binds at once. */
export function linearBands(weight: Tensor): Band[] {
  const [rows, terms] = weight.shape;
  const rowBytes = [ceilToQuad(terms) * BYTES[weight.dtype]]; // matmul makes whole quads of rows and of terms
  return bandsOf(weight.gpu, "linear", ceilToQuad(rows), { rowBytes, halo: 3, strided: true })
    .map(({ start, end }) => ({ start, end: Math.min(end, rows) }))
    .filter(({ start }) => start < rows);
}
