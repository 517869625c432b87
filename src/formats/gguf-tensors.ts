// A GGUF's tensors as transformers publishes them: its names, shapes, row order and values. What llama.cpp's conversion
// (conversion/*.py, gguf/tensor_mapping.py) renamed, stacked, permuted or shifted is undone while the bytes stream.
import { type ChunkOptions, wholeChunk } from "./chunks.ts";
import { FormatError } from "./errors.ts";
import { dequantizeBlocks, isBlockType } from "./ggml-blocks.ts";
import type { Gguf, GgufTensors } from "./gguf.ts";
import { blockOf } from "./gguf-header.ts";
import type { TensorEntry, TensorFile } from "./safetensors.ts";

type Rename = readonly [from: RegExp, to: string];

const layer = (from: string, to: string): Rename => [new RegExp(`^blk\\.(\\d+)\\.${from}\\.(?<kind>weight|bias)$`), `model.layers.$1.${to}.$<kind>`];

const gpt2Names: readonly Rename[] = [
  [/^token_embd\./, "transformer.wte."], [/^position_embd\./, "transformer.wpe."], [/^output_norm\./, "transformer.ln_f."], [/^output\./, "lm_head."],
  ...[["attn_norm", "ln_1"], ["attn_qkv", "attn.c_attn"], ["attn_output", "attn.c_proj"], ["ffn_norm", "ln_2"], ["ffn_up", "mlp.c_fc"], ["ffn_down", "mlp.c_proj"]]
    .map(([from, to]): Rename => [new RegExp(`^blk\\.(\\d+)\\.${from}\\.`), `transformer.h.$1.${to}.`]),
];

/** GGUF's names → transformers', of all the other networks: the first that matches is applied. */
const decoderNames: readonly Rename[] = [
  [/^token_embd\./, "model.embed_tokens."], [/^output_norm\./, "model.norm."], [/^output\./, "lm_head."],
  layer("attn_norm", "input_layernorm"),
  layer("attn_(q|k|v)", "self_attn.$2_proj"), layer("attn_output", "self_attn.o_proj"), layer("attn_qkv", "self_attn.qkv_proj"),
  layer("attn_(q|k)_norm", "self_attn.$2_norm"),
  layer("post_attention_norm", "post_attention_layernorm"), layer("post_ffw_norm", "post_feedforward_layernorm"),
  layer("ffn_norm", "post_attention_layernorm"),
  layer("ffn_(gate|up|down)", "mlp.$2_proj"),
  layer("ffn_gate_inp", "mlp.gate"),
];

/** Where a network's names differ from those above. */
const ownNames: Readonly<Record<string, readonly Rename[]>> = {
  gpt2: gpt2Names,
  phi3: [layer("ffn_up", "mlp.gate_up_proj")],
  gemma2: [layer("ffn_norm", "pre_feedforward_layernorm")],
  gemma3: [layer("ffn_norm", "pre_feedforward_layernorm")],
  mixtral: [layer("ffn_gate_inp", "block_sparse_moe.gate")],
};

/** gate, up and down of an expert: [layer, expert, which] → its name. */
const expertNames: Readonly<Record<string, (layer: string, expert: number, part: string) => string>> = {
  mixtral: (layer, expert, part) => `model.layers.${layer}.block_sparse_moe.experts.${expert}.${{ gate: "w1", down: "w2", up: "w3" }[part]}.weight`,
  qwen3moe: (layer, expert, part) => `model.layers.${layer}.mlp.experts.${expert}.${part}_proj.weight`,
};

const maxExperts = 4096; // a view is made of each

/** Tensors that are part of the configuration, or that llama.cpp does not read either. */
const aside = /^rope_(freqs|factors_long|factors_short)\.weight$|\.attn_rot_embd(\.weight)?$/;

/** How a tensor of the model comes out of the file's. */
interface View extends TensorEntry {
  readonly stored: TensorEntry;
  /** Its bytes in the stored tensor. */
  readonly from: number;
  readonly to: number;
  /** Rows of a head whose halves are stored interleaved. */
  readonly interleaved?: number;
  /** The values, of all the stored ones. */
  readonly compute?: (values: Float32Array) => Float32Array;
}

/** The tensors of `gguf` under transformers' names. `config` is the config.json made of the same file. */
export function tensorsOfGguf(gguf: Gguf, config: Readonly<Record<string, unknown>>): TensorFile {
  const architecture = config.model_type === "mixtral" ? "mixtral" : String(gguf.metadata.get("general.architecture"));
  const views = new Map<string, View>();
  for (const stored of gguf.checkpoint.tensors.values()) {
    if (aside.test(stored.name)) continue;
    for (const view of viewsOf(stored, architecture, config)) {
      if (views.has(view.name)) throw new FormatError(`${gguf.name}: two tensors are ${view.name}`);
      views.set(view.name, view);
    }
  }
  return new ViewedTensors(gguf, views);
}

function viewsOf(stored: TensorEntry, architecture: string, config: Readonly<Record<string, unknown>>): View[] {
  const experts = /^blk\.(\d+)\.ffn_(gate|up|down)_exps\.weight$/.exec(stored.name);
  const nameOf = Object.hasOwn(expertNames, architecture) ? expertNames[architecture] : undefined;
  const [count, ...shape] = stored.shape;
  if (experts !== null && nameOf !== undefined && shape.length === 2 && count <= maxExperts) {
    const byteLength = stored.byteLength / count;
    return Array.from({ length: count }, (_, expert) => ({
      name: nameOf(experts[1], expert, experts[2]), dtype: stored.dtype, shape, byteLength, stored, from: expert * byteLength, to: (expert + 1) * byteLength,
    }));
  }
  const renames = [...(ownNames[architecture] ?? []), ...(architecture === "gpt2" ? [] : decoderNames)];
  const rename = renames.find(([from]) => from.test(stored.name));
  const name = rename === undefined ? stored.name : stored.name.replace(rename[0], rename[1]);
  const whole: View = { ...stored, name, stored, from: 0, to: stored.byteLength };
  const [rows, cols] = stored.shape;
  if (["llama", "smollm3", "mixtral"].includes(architecture) && /\.self_attn\.[qk]_proj\./.test(name)) {
    const heads = Number(name.includes(".q_proj.") ? config.num_attention_heads : config.num_key_value_heads);
    return rows % (2 * heads) === 0 ? [{ ...whole, interleaved: rows / heads }] : [whole]; // a shape that does not fit is told with the others
  }
  if (architecture.startsWith("gemma") && name.endsWith("norm.weight")) return [computed(whole, stored.shape, shifted)];
  const isConv1d = architecture === "gpt2" && /\.c_(attn|proj|fc)\.weight$/.test(name) && stored.shape.length === 2;
  if (isConv1d) return [computed(whole, [cols, rows], (values) => transposed(values, rows, cols))];
  return [whole];
}

/** A view whose values are f32 that `compute` makes of all the stored ones. */
function computed(view: View, shape: readonly number[], compute: (values: Float32Array) => Float32Array): View {
  return { ...view, dtype: "F32", shape, byteLength: 4 * shape.reduce((product, size) => product * size, 1), compute };
}

/** Gemma multiplies by 1 + weight; stored is the sum. */
function shifted(values: Float32Array): Float32Array {
  return values.map((value) => value - 1);
}

/** Rows [rows, cols] → [cols, rows]: GPT-2's matrices are [in, out]. */
function transposed(values: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) out[col * rows + row] = values[row * cols + col];
  }
  return out;
}

/** All values of a stored tensor. */
export async function valuesOf(tensors: GgufTensors, name: string, signal?: AbortSignal): Promise<Float32Array> {
  const entry = tensors.tensors.get(name);
  if (entry === undefined) throw new FormatError(`no tensor "${name}"`);
  const { dtype, shape } = entry;
  const plain = dtype === "F32" || dtype === "F16" || dtype === "BF16";
  if (!plain && !isBlockType(dtype)) throw new FormatError(`tensor "${name}" is stored as ${dtype}: floating-point numbers expected`);
  const out = new Float32Array(shape.reduce((product, size) => product * size, 1));
  let at = 0;
  for await (const bytes of tensors.stream(name, { signal })) {
    const values = dequantizeBlocks(dtype, bytes);
    out.set(values, at);
    at += values.length;
  }
  return out;
}

class ViewedTensors implements TensorFile {
  constructor(private readonly gguf: Gguf, private readonly views: ReadonlyMap<string, View>) {}

  get tensors(): ReadonlyMap<string, TensorEntry> {
    return this.views;
  }

  async *stream(name: string, { signal, chunkBytes }: ChunkOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const view = this.views.get(name);
    const { checkpoint } = this.gguf;
    if (view === undefined) throw new FormatError(`${this.gguf.name}: no tensor "${name}"`);
    const { stored, from, to } = view;
    if (view.compute !== undefined) {
      yield* inChunks(view.compute(await valuesOf(checkpoint, stored.name, signal)), chunkBytes);
    } else if (view.interleaved !== undefined) {
      yield* inHalves(checkpoint, view, view.interleaved, { signal, chunkBytes });
    } else {
      yield* checkpoint.stream(stored.name, { from, to, signal, chunkBytes });
    }
  }

  close(): Promise<void> {
    return this.gguf.checkpoint.close();
  }
}

function* inChunks({ buffer, byteOffset, byteLength }: Float32Array, chunkBytes?: number): Generator<Uint8Array, void, undefined> {
  const step = wholeChunk(4, chunkBytes);
  for (let at = 0; at < byteLength; at += step) yield new Uint8Array(buffer, byteOffset + at, Math.min(step, byteLength - at));
}

/**
 * Rows of queries or keys in the order of transformers: the row i of a head's first half and the row i of its second are
 * stored side by side, as llama.cpp turns neighbours where transformers turns halves. Blocks run along rows, so whole rows
 * move as they are.
 */
async function* inHalves(tensors: GgufTensors, { stored, byteLength }: View, headRows: number, { signal, chunkBytes }: ChunkOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const rowBytes = byteLength / stored.shape[0];
  const headBytes = rowBytes * headRows;
  const step = wholeChunk(blockOf(stored.dtype).bytes, chunkBytes);
  const out = new Uint8Array(Math.min(step, byteLength));
  for (let begin = 0; begin < byteLength; begin += step) {
    const end = Math.min(begin + step, byteLength);
    const from = Math.floor(begin / headBytes) * headBytes;
    const heads = new Uint8Array(Math.ceil(end / headBytes) * headBytes - from);
    let filled = 0;
    for await (const bytes of tensors.stream(stored.name, { from, to: from + heads.length, signal })) {
      heads.set(bytes, filled);
      filled += bytes.length;
    }
    for (let at = begin; at < end;) {
      const row = Math.floor(at / rowBytes);
      const inHead = row % headRows;
      const source = row - inHead + (inHead % (headRows / 2)) * 2 + Math.floor(inHead / (headRows / 2));
      const count = Math.min((row + 1) * rowBytes, end) - at;
      const start = source * rowBytes + (at - row * rowBytes) - from;
      out.set(heads.subarray(start, start + count), at - begin);
      at += count;
    }
    yield out.subarray(0, end - begin);
  }
}
