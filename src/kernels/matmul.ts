// Matrix products with their epilogue: bias, activation and residual.
import source from "/shaders/matmul.wgsl?raw";
import { BYTES, type DType } from "../tensor/dtype.ts";
import { broadcastShapes, expectShape, formatShape, type Shape, ShapeError, sizeOf } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import type { Activation } from "./activation.ts";
import { bandsOf } from "./bands.ts";
import { copyInto } from "./copy.ts";
import { defineGemm } from "./gemm.ts";
import { ceilToQuad, inQuads, padRows } from "./pad.ts";

const gemm = defineGemm("matmul", source, ["a", "b"], "b");

export interface MatmulOptions {
  /** a is stored [..., K, M]. */
  readonly transposeA?: boolean;
  /** b is stored [..., N, K], as checkpoints store linear layers. */
  readonly transposeB?: boolean;
  /** [N], added before the activation. */
  readonly bias?: Tensor;
  readonly activation?: Activation;
  /** [..., M, N], added after the activation; before it with `activateLast`. */
  readonly residual?: Tensor;
  readonly activateLast?: boolean;
  /** A factor of the product, before the bias. */
  readonly scale?: number;
  /** Of the result; a's unless given. */
  readonly dtype?: DType;
}

/**
 * activation(scale · a b + bias) + residual. a [..., M, K], b [..., K, N], leading axes broadcast → [..., M, N].
 * Sums in f32. Throws ShapeError.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, bias, residual, dtype = a.dtype } = options;
  if (a.rank < 2 || b.rank < 2) throw new ShapeError(`matmul: matrices expected, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
  const [m, k] = transposeA ? [a.dim(-1), a.dim(-2)] : [a.dim(-2), a.dim(-1)];
  const n = transposeB ? b.dim(-2) : b.dim(-1);
  expectShape("matmul: b", b, [...b.shape.slice(0, -2), ...(transposeB ? [n, k] : [k, n])]);
  const lead = broadcastShapes("matmul: leading axes", a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (bias) expectShape("matmul: bias", bias, [n]);
  if (residual) expectShape("matmul: residual", residual, [...lead, m, n]);

  using scope = a.gpu.scope();
  const out = scope.keep(empty(a.gpu, [...lead, m, n], dtype));
  if (out.size === 0) return out;
  const shared = sizeOf(b.shape.slice(0, -2)) === 1; // one matrix b for all: its products are one tall product
  const batch = shared ? 1 : sizeOf(lead);
  const rows = shared ? sizeOf(lead) * m : m;
  const [cols, terms] = [ceilToQuad(n), ceilToQuad(k)];
  const left = padRows(transposeA ? a.permute(...swapLast(a.rank)) : a, terms);
  const target = cols === n ? out : empty(a.gpu, [batch, rows, cols], dtype);
  launch(
    shared ? inQuads(left.broadcastTo([...lead, m, terms])).reshape([1, rows, terms]) : matrices(left, lead),
    matrices(transposeB ? padMatrix(b, cols, terms) : padMatrix(b, terms, cols), shared ? [] : lead),
    residual && inQuads(padRows(residual, cols)).reshape([batch, rows, cols]),
    target.reshape([batch, rows, cols]),
    { ...options, bias: bias && inQuads(padRows(bias, cols)) },
  );
  if (target !== out) copyInto(target.slice(2, 0, n), out.reshape([batch, rows, n]));
  return out;
}

/** The order of axes that exchanges the last two. */
function swapLast(rank: number): number[] {
  return Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
}

/** x [..., R, C] with zeros to the right and below → [..., rows, cols]. */
function padMatrix(x: Tensor, rows: number, cols: number): Tensor {
  if (x.dim(-2) === rows) return padRows(x, cols);
  const lead = x.shape.slice(0, -2);
  return padRows(inQuads(padRows(x, cols)).reshape([...lead, -1]), rows * cols).reshape([...lead, rows, cols]);
}

/** x [..., R, C] as [batch, R, C]; a single matrix is repeated without a copy. */
function matrices(x: Tensor, lead: Shape): Tensor {
  const inner = x.shape.slice(-2);
  if (x.size === sizeOf(inner)) return inQuads(x).reshape([1, ...inner]).broadcastTo([sizeOf(lead), ...inner]);
  return inQuads(x.broadcastTo([...lead, ...inner])).reshape([-1, ...inner]);
}

/** a [batch, M, K], b [batch, K, N] or [batch, N, K], residual and out [batch, M, N]: in one launch, matrix by matrix, or in bands of rows of out. */
function launch(a: Tensor, b: Tensor, residual: Tensor | undefined, out: Tensor, options: MatmulOptions): void {
  const { transposeB = false, bias, activation, activateLast, scale = 1 } = options;
  const [batch, m, n] = out.shape;
  const k = a.dim(2);
  const { gpu } = out;
  const rowBytes = [a, residual, out].map((x) => (x ? x.strides[1] * BYTES[x.dtype] : 0));
  const rowFlops = 2 * n * k;
  const whole = bandsOf(gpu, "matmul", batch * m, { rowBytes, rowFlops, strided: true }).length === 1;
  if (!whole && batch > 1) {
    for (let i = 0; i < batch; i++) launch(a.slice(0, i, i + 1), b.slice(0, i, i + 1), residual?.slice(0, i, i + 1), out.slice(0, i, i + 1), options);
    return;
  }
  const choice = gemm.choose(gpu, m, n, k, batch);
  for (const { start, end } of bandsOf(gpu, "matmul", m, { rowBytes, rowFlops: batch * rowFlops, strided: true })) {
    gemm.run(choice, {
      operands: { a: a.slice(1, start, end), b },
      params: {
        n, m: end - start, quads: k / 4, scale,
        a_batch: a.strides[0] / 4, a_row: a.strides[1] / 4,
        b_batch: b.strides[0] / 4, b_row: b.strides[1] / 4,
        residual_batch: (residual?.strides[0] ?? 0) / 4, residual_row: (residual?.strides[1] ?? 0) / 4,
        out_batch: out.strides[0] / 4, out_row: out.strides[1] / 4,
      },
      constants: { TRANSPOSE_B: Number(transposeB) },
      out: out.slice(1, start, end),
      batch, rows: end - start, cols: n, terms: k, pixels: 1,
      epilogue: { bias, activation, activateLast, scale, residual: residual?.slice(1, start, end) },
    });
  }
}
