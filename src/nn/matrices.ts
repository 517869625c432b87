// How the matrices of linear layers and of embeddings lie on the GPU, and which kernels read them. Here: plain numbers, for large
// products; packed-matrices.ts keeps blocks, too, and multiplies few rows.
import type { Decoded, StoredDtype } from "../formats/dtype.ts";
import type { GgmlBlockType } from "../formats/ggml-blocks.ts";
import type { TensorEntry } from "../formats/safetensors.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { embedding } from "../kernels/embedding.ts";
import { linearByMatmul, type LinearOptions } from "../kernels/linear-matmul.ts";
import type { QuantizedTensor } from "../tensor/quantized.ts";
import { type Shape, ShapeError } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";

/** A matrix of a linear layer or of embeddings: plain, or quantised in blocks. */
export type MatrixWeight = Tensor | QuantizedTensor;

/** What numbers are quantised to: "q8" is Q8_0, "q4" Q4_1. */
export type Quantization = "q8" | "q4";

export interface Matrices {
  /** activation(x Wᵀ + bias) + residual. x [..., K], weight [N, K] → [..., N]. Throws ShapeError. */
  linear(x: Tensor, weight: MatrixWeight, options?: LinearOptions): Tensor;
  /** Rows of a table [V, D] by ids i32 [...] → [..., D]; of a quantised one as dtype. Throws ShapeError. */
  embedding(ids: Tensor, table: MatrixWeight, dtype: "f32" | "f16"): Tensor;
  /** Absent where all is plain numbers. */
  readonly blocks?: Blocks;
}

/** Reading, making and keeping quantised blocks. */
export interface Blocks {
  /** An unfilled matrix for what is stored; undefined where it is to be plain numbers. */
  allocate(gpu: Gpu, shape: Shape, stored: StoredDtype | GgmlBlockType, quantize: Quantization | undefined, label: string): QuantizedTensor | undefined;
  /**
   * Writes a stored tensor, quantised where it is numbers, from an element (a multiple of 256) of the matrix on; its bytes come
   * in chunks of about `chunkBytes`, each of whose sizes is yielded. Throws FormatError.
   */
  fill(matrix: QuantizedTensor, start: number, entry: TensorEntry, chunkBytes: number, stream: (chunkBytes: number) => AsyncIterable<Uint8Array>): AsyncGenerator<number>;
  /** Stored bytes as plain numbers. Throws FormatError. */
  decode(stored: StoredDtype | GgmlBlockType, bytes: Uint8Array, to: "f32" | "f16"): Decoded["f32" | "f16"];
}

export const plainMatrices: Matrices = {
  linear: (x, weight, options) => linearByMatmul(x, plain(weight), options),
  embedding: (ids, table) => embedding(ids, plain(table)),
};

function plain(weight: MatrixWeight): Tensor {
  if (weight instanceof Tensor) return weight;
  throw new ShapeError(`a matrix of plain numbers expected, got ${weight.type}`);
}
