// Matrices as language models want them: in blocks where they are stored so or quantised at load, and fast for the one row of a token.
import type { StoredDtype } from "../formats/dtype.ts";
import { decodeStored, type GgmlBlockType, ggmlBlocks, isBlockType } from "../formats/ggml-blocks.ts";
import { quantizeBlocks } from "../formats/ggml-quantize.ts";
import { embedding } from "../kernels/embedding.ts";
import { linear } from "../kernels/linear.ts";
import { embeddingQuantized } from "../kernels/quantized.ts";
import { QuantizedTensor } from "../tensor/quantized.ts";
import { type Shape, sizeOf } from "../tensor/shape.ts";
import { empty } from "../tensor/tensor.ts";
import type { Matrices, MatrixWeight, Quantization } from "./matrices.ts";
import type { Weights } from "./weights.ts";

/** Elements that take whole words of every plane. */
const WHOLE_WORDS = 256;

const QUANTIZED = { q8: "Q8_0", q4: "Q4_1" } as const;

export const packedMatrices: Matrices = {
  linear,
  embedding: (ids, table, dtype) => (table instanceof QuantizedTensor ? embeddingQuantized(ids, table, dtype) : embedding(ids, table)),
  blocks: {
    allocate(gpu, shape, stored, quantize, label) {
      const type = blockType(stored, shape, quantize);
      return type && new QuantizedTensor(gpu, shape, type, label);
    },
    async *fill(matrix, start, { dtype, shape, byteLength }, chunkBytes, stream) {
      const elements = sizeOf(shape);
      const step = (WHOLE_WORDS * byteLength) / elements;
      for await (const bytes of stream(Math.max(1, Math.floor(chunkBytes / step)) * step)) {
        matrix.fill(start, isBlockType(dtype) ? bytes : quantizeBlocks(matrix.type === "Q8_0" ? "Q8_0" : "Q4_1", decodeStored(dtype, bytes, "f32")));
        start += (bytes.byteLength * elements) / byteLength;
        yield bytes.byteLength;
      }
    },
    decode: decodeStored,
  },
};

/** Matrices of one stored shape [N, K] and type, such as a layer's experts, as one that has them below each other, [names · N, K]. */
export function takeStack(weights: Weights, names: readonly string[], shape: Shape): MatrixWeight {
  const { gpu, dtype, matrices, quantize } = weights;
  const typeOf = (name: string) => {
    const stored = weights.stored(name);
    return stored && matrices.blocks && blockType(stored.dtype, shape, quantize);
  };
  const type = sizeOf(shape) % WHOLE_WORDS ? undefined : typeOf(names[0]);
  const odd = type && names.find((name) => typeOf(name) !== type);
  if (odd !== undefined) weights.refuse(`${weights.prefix}${odd} expected ${type} as ${names[0]}, got ${weights.stored(odd)?.dtype ?? "nothing"}`);
  const all = [names.length * shape[0], shape[1]];
  const label = weights.prefix + names[0];
  const stack = type ? new QuantizedTensor(gpu, all, type, label) : empty(gpu, all, dtype, { recycle: false, label });
  for (const [i, name] of names.entries()) weights.place(stack, name, shape, { start: i * sizeOf(shape) });
  return stack;
}

/** How a matrix is kept in blocks; undefined where it stays plain numbers. */
function blockType(stored: StoredDtype | GgmlBlockType, shape: Shape, quantize?: Quantization): GgmlBlockType | undefined {
  const type = isBlockType(stored) ? stored : quantize && QUANTIZED[quantize];
  return type && shape[1] % ggmlBlocks[type].elements === 0 ? type : undefined;
}
