// Matrices as language models want them: in blocks where they are stored so or quantised at load, and fast for the one row of a token.
import { decodeStored, ggmlBlocks, isBlockType } from "../formats/ggml-blocks.ts";
import { quantizeBlocks } from "../formats/ggml-quantize.ts";
import { embedding } from "../kernels/embedding.ts";
import { linear } from "../kernels/linear.ts";
import { embeddingQuantized } from "../kernels/quantized.ts";
import { QuantizedTensor } from "../tensor/quantized.ts";
import { sizeOf } from "../tensor/shape.ts";
import { type Matrices, WHOLE_WORDS } from "./matrices.ts";

const QUANTIZED = { q8: "Q8_0", q4: "Q4_1" } as const;

export const packedMatrices: Matrices = {
  linear,
  embedding: (ids, table, dtype) => (table instanceof QuantizedTensor ? embeddingQuantized(ids, table, dtype) : embedding(ids, table)),
  blocks: {
    typeOf(stored, shape, quantize) {
      const type = isBlockType(stored) ? stored : quantize && QUANTIZED[quantize];
      return type && shape[1] % ggmlBlocks[type].elements === 0 ? type : undefined;
    },
    allocate: (gpu, shape, type, label) => new QuantizedTensor(gpu, shape, type, label),
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
