// Matrix products with their epilogue: bias, activation and residual.
import source from "/shaders/matmul.wgsl?raw";
import activation from "/shaders/include/activation.wgsl?raw";
import gemm from "/shaders/include/gemm.wgsl?raw";
import type { DType } from "../tensor/dtype.ts";
import { BYTES } from "../tensor/dtype.ts";
import { broadcastShapes, expectShape, formatShape, ShapeError, sizeOf } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { type Activation, ACTIVATIONS } from "./activation.ts";
import { bandsOf } from "./bands.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "matmul", source, includes: [activation, gemm], strided: ["a", "b", "bias", "residual", "out"] });

export interface MatmulOptions {
  /** a is stored [..., K, M]. */
  readonly transposeA?: boolean;
  /** b is stored [..., N, K], as checkpoints store linear layers. */
  readonly transposeB?: boolean;
  /** [N], added before the activation. */
  readonly bias?: Tensor;
  readonly activation?: Activation;
  /** [..., M, N], added after the activation. */
  readonly residual?: Tensor;
  /** A factor of the product, before the bias. */
  readonly scale?: number;
  /** Of the result; a's unless given. */
  readonly dtype?: DType;
}

/** One matrix product after another: [batch, rows, columns] with a row's elements side by side. */
type Matrices = Tensor;

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
  const shared = sizeOf(b.shape.slice(0, -2)) === 1 && !transposeA;
  const batch = shared ? 1 : sizeOf(lead);
  const rows = shared ? sizeOf(lead) * m : m; // one matrix b for all: its products are one tall product
  launch(
    shared ? packed(a).reshape([1, rows, k]) : matrices(a, lead),
    shared ? matrices(b, []) : matrices(b, lead),
    residual && packed(residual).reshape([batch, rows, n]),
    out.reshape([batch, rows, n]),
    options,
  );
  return out;
}

/** x [..., R, C] as [batch, R, C]; a single matrix is repeated without a copy. */
function matrices(x: Tensor, lead: readonly number[]): Matrices {
  const inner = x.shape.slice(-2);
  if (x.size === sizeOf(inner)) return packed(x).reshape([1, ...inner]).broadcastTo([sizeOf(lead), ...inner]);
  return packed(x.broadcastTo([...lead, ...inner])).reshape([-1, ...inner]);
}

/** x itself where its elements lie in order, else a copy; the kernel reads any offset. */
function packed(x: Tensor): Tensor {
  return x.contiguous ? x.view() : contiguous(x);
}

/** a [batch, M, K], b [batch, K, N], residual and out [batch, M, N]: in one launch, or in bands of rows of out and b's columns. */
function launch(a: Matrices, b: Matrices, residual: Matrices | undefined, out: Matrices, options: MatmulOptions): void {
  const { transposeA = false, transposeB = false, bias, activation = "none", scale = 1 } = options;
  const [batch, m, n] = out.shape;
  const k = a.dim(transposeA ? 1 : 2);
  const { gpu } = out;
  const rowBytes = [out, residual, transposeA ? undefined : a].map((x) => (x ? x.strides[1] * BYTES[x.dtype] : 0));
  const rowFlops = 2 * n * k;
  const whole = bandsOf(gpu, "matmul", batch * m, { rowBytes, rowFlops, strided: true }).length === 1;
  if (!whole && batch > 1) {
    for (let i = 0; i < batch; i++) launch(a.slice(0, i, i + 1), b.slice(0, i, i + 1), residual?.slice(0, i, i + 1), out.slice(0, i, i + 1), options);
    return;
  }
  const bands = bandsOf(gpu, "matmul", m, { rowBytes, rowFlops, strided: true });
  for (const { start, end } of bands) {
    const partA = a.slice(transposeA ? 2 : 1, start, end);
    const partOut = out.slice(1, start, end);
    const partResidual = residual?.slice(1, start, end);
    kernel.run(
      { a: partA, b, bias: bias ?? b, residual: partResidual ?? partA, out: partOut },
      {
        m: end - start, n, k, scale,
        a_batch: a.strides[0], a_row: a.strides[1],
        b_batch: b.strides[0], b_row: b.strides[1],
        residual_batch: residual?.strides[0] ?? 0, residual_row: residual?.strides[1] ?? 0,
        out_batch: out.strides[0], out_row: out.strides[1],
      },
      [Math.ceil(n / 32), Math.ceil((end - start) / 32), batch],
      {
        flops: batch * (end - start) * rowFlops,
        constants: { TRANSPOSE_A: Number(transposeA), TRANSPOSE_B: Number(transposeB), BIAS: bias ? 1 : 0, RESIDUAL: residual ? 1 : 0, ACTIVATION: ACTIVATIONS[activation] },
        defines: { ROWS: 4, COLS: 4, LANES_M: 8, LANES_N: 8, DEPTH: 16 },
      },
    );
  }
}
