// Weights as GPTQ (Frantar et al. 2022, arXiv 2210.17323) and AWQ (Lin et al. 2023, arXiv 2306.00978) publish them: 4-bit codes, zero
// points and f16 scales of groups of inputs, in words of eight. They are given out as GGML's Q5_0, which holds code - zero + 16 without loss.
import { type ChunkOptions, wholeChunk } from "./chunks.ts";
import { decodeIntegers, decodeTo, type StoredDtype } from "./dtype.ts";
import { FormatError } from "./errors.ts";
import { ggmlBlocks, isBlockType } from "./ggml-blocks.ts";
import { isObject, type JsonObject } from "./json.ts";
import type { TensorEntry, TensorFile } from "./safetensors.ts";

interface Layout {
  readonly method: "gptq" | "awq";
  /** Inputs that share a scale; -1: all. */
  readonly group: number;
  /** Added to a stored zero point, modulo 16. */
  readonly zeroShift: number;
}

/** Which output of a word's eight its nibbles hold, the lowest first. */
const AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7];
const BLOCK = 32;

/** Splits `quantization_config` off a config.json; null where there is none. Throws FormatError naming a method or an option that is not supported. */
export function packedLayoutOf(config: JsonObject): { readonly config: JsonObject; readonly layout: Layout | null } {
  const { quantization_config: quantization, ...rest } = config;
  if (quantization === undefined || quantization === null) return { config, layout: null };
  if (!isObject(quantization)) throw new FormatError("config.json: quantization_config is no JSON object");
  const { quant_method: method, bits, group_size: group, desc_act: ordered, version = "gemm", checkpoint_format: format = "gptq" } = quantization;
  const refuse = (what: string, value: unknown, expected: string): never => {
    throw new FormatError(`config.json: quantization_config ${what} ${JSON.stringify(value)} is not supported, ${expected} expected; take the model's GGUF or its plain weights instead`);
  };
  if (method !== "gptq" && method !== "awq") return refuse("quant_method", method, "gptq or awq");
  if (bits !== 4) return refuse("bits", bits, "4");
  if (typeof group !== "number" || !(group === -1 || (group > 0 && group % BLOCK === 0))) return refuse("group_size", group, `a multiple of ${BLOCK}`);
  if (method === "awq") {
    if (typeof version !== "string" || version.toLowerCase() !== "gemm") return refuse("version", version, '"gemm"');
    return { config: rest, layout: { method, group, zeroShift: 0 } };
  }
  if (ordered === true) return refuse("desc_act", true, "false");
  if (format !== "gptq" && format !== "gptq_v2") return refuse("checkpoint_format", format, '"gptq" or "gptq_v2"');
  return { config: rest, layout: { method, group, zeroShift: format === "gptq" ? 1 : 0 } };
}

/** A layer's matrix and the tensors it is made of. */
interface Packed extends TensorEntry {
  readonly prefix: string;
}

/** The tensors of `file` with `<layer>.qweight` and its companions as `<layer>.weight`, [N, K] of Q5_0. Throws FormatError for shapes that do not belong together. */
export function unpackWeights(file: TensorFile, layout: Layout): TensorFile {
  const tensors = new Map<string, TensorEntry | Packed>();
  for (const entry of file.tensors.values()) {
    const [, prefix, part] = /^(.*\.)(qweight|qzeros|scales|g_idx)$/.exec(entry.name) ?? [];
    if (prefix === undefined || !file.tensors.has(`${prefix}qweight`)) tensors.set(entry.name, entry);
    else if (part === "qweight") tensors.set(`${prefix}weight`, packedOf(file, entry, prefix, layout));
  }
  return {
    tensors,
    async *stream(name: string, options: ChunkOptions = {}) {
      const entry = tensors.get(name);
      if (entry === undefined || !("prefix" in entry)) {
        yield* file.stream(name, options);
        return;
      }
      const bytes = await blocksOf(file, entry, layout, options.signal);
      const step = wholeChunk(ggmlBlocks.Q5_0.bytes, options.chunkBytes);
      for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
    },
    close: () => file.close(),
  };
}

function packedOf(file: TensorFile, { shape: [rows, cols] }: TensorEntry, prefix: string, { method, group }: Layout): Packed {
  const [inputs, outputs] = method === "gptq" ? [8 * rows, cols] : [rows, 8 * cols];
  const groups = group === -1 ? 1 : inputs / group;
  const expected = { qweight: [rows, cols], qzeros: [groups, outputs / 8], scales: [groups, outputs] };
  for (const [part, shape] of Object.entries(expected)) {
    const stored = file.tensors.get(prefix + part);
    if (stored?.shape.length !== 2 || stored.shape.some((n, axis) => n !== shape[axis])) throw new FormatError(`${prefix}${part} expected [${shape}], got ${stored ? `[${stored.shape}]` : "nothing"}`);
    const types = part === "scales" ? ["F16", "BF16"] : ["I32", "U32"];
    if (!types.includes(stored.dtype)) throw new FormatError(`${prefix}${part} expected ${types.join(" or ")}, got ${stored.dtype}`);
  }
  if (inputs % BLOCK !== 0) throw new FormatError(`${prefix}qweight: a multiple of ${BLOCK} inputs expected, got ${inputs}`);
  return { name: `${prefix}weight`, dtype: "Q5_0", shape: [outputs, inputs], byteLength: (outputs * inputs * ggmlBlocks.Q5_0.bytes) / BLOCK, prefix };
}

/** All blocks of a matrix, row by row. */
async function blocksOf(file: TensorFile, { prefix, shape: [outputs, inputs] }: Packed, { method, group, zeroShift }: Layout, signal?: AbortSignal): Promise<Uint8Array> {
  const [codes, zeros, scaleBytes] = [await bytesOf(file, `${prefix}qweight`, signal), await bytesOf(file, `${prefix}qzeros`, signal), await bytesOf(file, `${prefix}scales`, signal)];
  const [codeWords, zeroWords] = [new Uint32Array(codes.bytes.buffer), new Uint32Array(zeros.bytes.buffer)];
  const scales = decodeTo(scaleBytes.dtype, scaleBytes.bytes, "f16");
  const size = group === -1 ? inputs : group;
  if (file.tensors.has(`${prefix}g_idx`)) await checkOrder(file, `${prefix}g_idx`, size, signal);
  const nibble = (words: Uint32Array, at: number, place: number) => (words[at] >>> (4 * place)) & 15;
  const order = method === "awq" ? AWQ_ORDER.map((_, output) => AWQ_ORDER.indexOf(output)) : [0, 1, 2, 3, 4, 5, 6, 7];
  const across = outputs / 8;
  const codeOf = method === "gptq"
    ? (input: number, output: number) => nibble(codeWords, (input >> 3) * outputs + output, input & 7)
    : (input: number, output: number) => nibble(codeWords, input * across + (output >> 3), order[output & 7]);
  const out = new Uint8Array((outputs * inputs * ggmlBlocks.Q5_0.bytes) / BLOCK);
  const view = new DataView(out.buffer);
  let at = 0;
  for (let output = 0; output < outputs; output++) {
    for (let start = 0; start < inputs; start += BLOCK, at += ggmlBlocks.Q5_0.bytes) {
      const row = Math.floor(start / size);
      const zero = (nibble(zeroWords, row * across + (output >> 3), order[output & 7]) + zeroShift) & 15;
      view.setUint16(at, scales[row * outputs + output], true);
      let fifths = 0;
      for (let i = 0; i < BLOCK; i++) {
        const code = codeOf(start + i, output) - zero + 16;
        fifths |= (code >> 4) << i;
        out[at + 6 + (i & 15)] |= (code & 15) << (i < 16 ? 0 : 4);
      }
      view.setUint32(at + 2, fifths >>> 0, true);
    }
  }
  return out;
}

/** Groups must be runs of neighbours. */
async function checkOrder(file: TensorFile, name: string, group: number, signal?: AbortSignal): Promise<void> {
  const { dtype, bytes } = await bytesOf(file, name, signal);
  const odd = decodeIntegers(dtype, bytes, "i32").findIndex((value, input) => value !== Math.floor(input / group));
  if (odd >= 0) throw new FormatError(`${name}: input ${odd} is out of order: a model quantised without desc_act expected`);
}

async function bytesOf(file: TensorFile, name: string, signal?: AbortSignal): Promise<{ readonly dtype: StoredDtype; readonly bytes: Uint8Array<ArrayBuffer> }> {
  const entry = file.tensors.get(name);
  if (entry === undefined || isBlockType(entry.dtype)) throw new FormatError(`no tensor ${name} of plain numbers`);
  const bytes = new Uint8Array(entry.byteLength);
  let at = 0;
  for await (const chunk of file.stream(name, { signal })) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { dtype: entry.dtype, bytes };
}
