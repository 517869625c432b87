// Safetensors files of published shapes whose data nobody may read.
import type { ByteSource } from "../../src/formats/byte-source.ts";

/** A published file as far as its header: whoever reads on fails. */
export function headerOnly(name: string, tensors: Readonly<Record<string, readonly number[]>>): ByteSource {
  let end = 0;
  const entries = Object.entries(tensors).map(([tensor, shape]) => {
    const begin = end;
    const [dtype, bytes] = tensor.endsWith("position_ids") ? ["I64", 8] : ["F16", 2];
    end += shape.reduce((size, n) => size * n, bytes);
    return [tensor, { dtype, shape, data_offsets: [begin, end] }];
  });
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const header = new Uint8Array(8 + json.length);
  new DataView(header.buffer).setBigUint64(0, BigInt(json.length), true);
  header.set(json, 8);
  return {
    name,
    size: header.length + end,
    read: async (from, to) => {
      if (to > header.length) throw new Error(`${name}: bytes behind the header were read`);
      return header.subarray(from, to);
    },
  };
}
