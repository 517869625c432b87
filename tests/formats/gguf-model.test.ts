// Tiny models of every architecture, written as llama.cpp's conversion writes them (tests/reference/gguf_files.py): config and
// tensors come out as transformers has them, the latter to the bit, whatever the size of the chunks.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { decodeStored } from "../../src/formats/ggml-blocks.ts";
import { openGguf } from "../../src/formats/gguf.ts";
import { type GgufModel, modelOfGguf } from "../../src/formats/gguf-model.ts";
import { FormatError, type TensorFile } from "../../src/formats/safetensors.ts";
import { array, bool, float, gguf, join, string, uint, type Value } from "./gguf-writer.ts";

interface Golden {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly sha256: string }>>;
}

const folder = new URL("../reference/golden/gguf/", import.meta.url);
const bytesOf = (file: string): Uint8Array => new Uint8Array(readFileSync(new URL(file, folder)));
const goldenOf = (file: string): Golden => JSON.parse(readFileSync(new URL(`${file}.json`, folder), "utf8")) as Golden;
const openModel = async (bytes: Uint8Array): Promise<GgufModel> => modelOfGguf(await openGguf(bytesSource("test.gguf", bytes)));

async function digest(file: TensorFile, name: string, chunkBytes?: number): Promise<string> {
  const hash = createHash("sha256");
  const dtype = file.tensors.get(name)?.dtype ?? "F32";
  for await (const bytes of file.stream(name, { chunkBytes })) hash.update(new Uint8Array(decodeStored(dtype, bytes, "f32").slice().buffer));
  return hash.digest("hex").slice(0, 32);
}

const files = ["llama", "llama-linear", "mistral", "mixtral", "smollm3", "qwen2", "qwen3", "qwen3moe", "phi3", "phi3-long", "gemma2", "gemma3", "olmo2", "gpt2"];

describe.each(files)("%s", (file) => {
  const golden = goldenOf(file);

  test("tensors under transformers' names, in its shapes and values", async () => {
    const { checkpoint } = await openModel(bytesOf(`${file}.gguf`));
    expect([...checkpoint.tensors.keys()].sort()).toEqual(Object.keys(golden.tensors).sort());
    for (const [name, { shape, sha256 }] of Object.entries(golden.tensors)) {
      expect(checkpoint.tensors.get(name)?.shape, name).toEqual(shape);
      expect(await digest(checkpoint, name), name).toBe(sha256);
    }
  });

  test("the config that transformers saved", async () => {
    const { config } = await openModel(bytesOf(`${file}.gguf`));
    const { rope_theta, rope_scaling, rope_local_base_freq, architectures, torch_dtype, model_type, ...rest } = config;
    const own = file === "mistral" ? { model_type: "llama", architectures: ["LlamaForCausalLM"] } : golden.config; // a Llama in all but its name
    expect({ architectures, model_type }).toEqual({ architectures: own.architectures, model_type: own.model_type });
    expect(torch_dtype).toBe("float32");
    const known = Object.entries(rest).filter(([key]) => (golden.config[key] ?? null) !== null);
    expect(Object.fromEntries(known)).toEqual(Object.fromEntries(known.map(([key]) => [key, golden.config[key]])));
    const derived = ["head_dim", "no_rope_layer_interval", "attention_bias", "mlp_bias", "n_ctx", "n_inner", "sliding_window", "hidden_act", "hidden_activation", "use_sliding_window", "decoder_sparse_step", "mlp_only_layers", "num_experts", "partial_rotary_factor"];
    expect(Object.keys(rest).filter((key) => !(key in golden.config) && !derived.includes(key))).toEqual([]);
    expect(ropeOf({ rope_theta, rope_scaling, rope_local_base_freq })).toEqual(ropeOf(golden.config));
  });
});

/** RoPE's settings, written the older way or as transformers 5 does, in one form. */
function ropeOf(config: Readonly<Record<string, unknown>>): unknown {
  const parameters = config.rope_parameters as Record<string, unknown> | undefined;
  if (parameters !== undefined && "full_attention" in parameters) {
    const { full_attention: full, sliding_attention: sliding } = parameters as Record<string, Record<string, unknown>>;
    return { ...(ropeOf({ rope_parameters: full }) as object), local: sliding.rope_theta };
  }
  const { type, rope_type = "default", rope_theta = config.rope_theta, ...rest } = parameters ?? (config.rope_scaling as Record<string, unknown> | null | undefined) ?? {};
  const { attention_factor, beta_fast, beta_slow, partial_rotary_factor, ...settings } = rest;
  return { rope_type, rope_theta, ...settings, ...(config.rope_local_base_freq === undefined ? {} : { local: config.rope_local_base_freq }) };
}

test.each(["llama", "gpt2", "gemma2", "qwen3moe"])("%s: chunks of any size, all but the last of the same", async (file) => {
  const golden = goldenOf(file);
  const { checkpoint } = await openModel(bytesOf(`${file}.gguf`));
  for (const [name, { sha256 }] of Object.entries(golden.tensors)) {
    for (const chunkBytes of [100, 1000, 5000]) expect(await digest(checkpoint, name, chunkBytes), `${name} in ${chunkBytes}`).toBe(sha256);
    const sizes: number[] = [];
    for await (const chunk of checkpoint.stream(name, { chunkBytes: 1000 })) sizes.push(chunk.byteLength);
    expect(new Set(sizes.slice(0, -1)).size).toBeLessThan(2);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(checkpoint.tensors.get(name)?.byteLength);
  }
});

test("a split model is the same model", async () => {
  const part = (number: number): string => `qwen2-0000${number}-of-00004.gguf`;
  const open = async (name: string) => bytesSource(name, bytesOf(name));
  const { checkpoint, config } = await modelOfGguf(await openGguf(await open(part(1)), { resolve: open }));
  expect(config).toEqual((await openModel(bytesOf("qwen2.gguf"))).config);
  for (const [name, { sha256 }] of Object.entries(goldenOf("qwen2").tensors)) expect(await digest(checkpoint, name), name).toBe(sha256);
});

const small: readonly (readonly [string, Value])[] = [
  ["general.architecture", string("llama")], ["llama.block_count", uint(1)], ["llama.embedding_length", uint(32)], ["llama.attention.head_count", uint(2)],
  ["llama.feed_forward_length", uint(64)], ["llama.context_length", uint(16)], ["llama.attention.layer_norm_rms_epsilon", float(1e-5)],
];
/** The metadata above with `changes`, a null leaving a key out, and one tensor. */
function model(changes: Record<string, Value | null> = {}, name = "token_embd.weight"): Promise<GgufModel> {
  const metadata = new Map<string, Value | null>([...small, ...Object.entries(changes)]);
  const kept = [...metadata].filter((entry): entry is [string, Value] => entry[1] !== null);
  return openModel(gguf({ metadata: kept, tensors: [{ name, dimensions: [32, 4], type: 0, offset: 0 }], data: 512 }));
}

test("f32 settings come back as their shortest decimals, lists of equal values as one", async () => {
  const heads: Value = array(4, [join(Uint8Array.of(1, 0, 0, 0)), join(Uint8Array.of(1, 0, 0, 0))]);
  const { config, chatTemplate, generationConfig } = await model({
    "llama.attention.head_count_kv": heads, "tokenizer.chat_template": string("{{ x }}"), "general.sampling.temp": float(0.7), "general.sampling.top_k": uint(20),
  });
  expect(config).toMatchObject({ rms_norm_eps: 1e-5, num_key_value_heads: 1, head_dim: 16, vocab_size: 4, tie_word_embeddings: true, rope_theta: 10_000, rope_scaling: null });
  expect(chatTemplate).toBe("{{ x }}");
  expect(generationConfig).toEqual({ do_sample: true, temperature: 0.7, top_k: 20 });
});

test("YaRN, a window, and a list of layers that see one", async () => {
  const yarn = await model({
    "llama.rope.scaling.type": string("yarn"), "llama.rope.scaling.factor": float(4), "llama.rope.scaling.original_context_length": uint(8),
    "llama.rope.scaling.yarn_attn_factor": float(1.1), "llama.attention.sliding_window": uint(5),
  });
  expect(yarn.config).toMatchObject({
    model_type: "mistral", architectures: ["MistralForCausalLM"], sliding_window: 5,
    rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: 8, beta_fast: 32, beta_slow: 1, attention_factor: 1.1 },
  });
  const gemma = Object.fromEntries([...small].map(([key, value]) => [key.replace("llama.", "gemma3."), value]));
  const layers = { ...gemma, "general.architecture": string("gemma3"), "gemma3.block_count": uint(3), "gemma3.attention.sliding_window": uint(4) };
  const types = async (pattern: Value | null): Promise<unknown> => (await model({ ...layers, "gemma3.attention.sliding_window_pattern": pattern })).config.layer_types;
  const [sliding, full] = ["sliding_attention", "full_attention"];
  expect(await types(null)).toEqual([sliding, sliding, sliding]); // every sixth sees all
  expect(await types(uint(2))).toEqual([sliding, full, sliding]);
  expect(await types(array(7, [Uint8Array.of(0), Uint8Array.of(1), Uint8Array.of(0)]))).toEqual([full, sliding, full]);
  await expect(types(array(7, [Uint8Array.of(0)]))).rejects.toThrow("has no value for each of 3 layers");
});

test("a stack of more experts than memory stays one tensor, which no network takes", async () => {
  const tensors = [{ name: "token_embd.weight", dimensions: [32, 4], type: 0, offset: 0 }, { name: "blk.0.ffn_up_exps.weight", dimensions: [32, 0, 2 ** 40], type: 0, offset: 512 }];
  const qwen = small.map(([key, value]) => [key === "general.architecture" ? key : key.replace("llama.", "qwen3moe."), key === "general.architecture" ? string("qwen3moe") : value] as const);
  const metadata = [...qwen, ["qwen3moe.expert_count", uint(4)], ["qwen3moe.expert_used_count", uint(2)], ["qwen3moe.expert_feed_forward_length", uint(8)]] as const;
  const { checkpoint } = await openModel(gguf({ metadata, tensors, data: 512 }));
  expect([...checkpoint.tensors.keys()]).toEqual(["model.embed_tokens.weight", "blk.0.ffn_up_exps.weight"]);
});

test("factors of RoPE that are not Llama 3.1's are kept as a list", async () => {
  const metadata = [...small, ["llama.rope.freq_base", float(500_000)]] as const;
  const tensors = [{ name: "token_embd.weight", dimensions: [32, 4], type: 0, offset: 0 }, { name: "rope_freqs.weight", dimensions: [8], type: 0, offset: 512 }];
  const bytes = gguf({ metadata, tensors, data: 544 });
  const factors = [1, 1, 2, 2, 3, 3, 4, 4];
  bytes.set(new Uint8Array(Float32Array.from(factors).buffer), bytes.length - 32);
  const { config, checkpoint } = await openModel(bytes);
  expect(config.rope_scaling).toEqual({ rope_type: "longrope", long_factor: factors, short_factor: factors, attention_factor: 1, original_max_position_embeddings: 16 });
  expect([...checkpoint.tensors.keys()]).toEqual(["model.embed_tokens.weight"]);
});

test.each<[string, () => Promise<unknown>, string]>([
  ["no architecture", () => model({ "general.architecture": null }), '"general.architecture" is missing'],
  ["an architecture that is not here", () => model({ "general.architecture": string("mamba") }), 'architecture "mamba" is not supported, only llama, '],
  ["an architecture from the prototype", () => model({ "general.architecture": string("toString") }), '"toString" is not supported'],
  ["an adapter", () => model({ "general.type": string("adapter") }), '"general.type" is "adapter"'],
  ["no embedding", () => model({}, "other.weight"), "no tensor token_embd.weight"],
  ["a missing key", () => model({ "llama.block_count": null }), '"llama.block_count" is missing'],
  ["a count of nothing", () => model({ "llama.block_count": uint(0) }), '"llama.block_count" expected a whole number above zero, got 0'],
  ["more layers than memory", () => model({ "llama.block_count": uint(0xffff_ffff) }), "at most 4096 layers"],
  ["a key of another type", () => model({ "llama.block_count": string("2") }), '"llama.block_count" expected a number, got "2"'],
  ["layers that differ", () => model({ "llama.attention.head_count_kv": array(0, [Uint8Array.of(1), Uint8Array.of(2)]) }), "differs from layer to layer"],
  ["heads that do not divide", () => model({ "llama.attention.head_count": uint(3) }), "heads of 10.66"],
  ["a key that nobody knows", () => model({ "llama.warp.factor": uint(9) }), '"llama.warp.factor" (9) is not supported'],
  ["a scale", () => model({ "llama.logit_scale": float(0.5) }), '"llama.logit_scale" is 0.5'],
  ["rotation of part of a head", () => model({ "llama.rope.dimension_count": uint(8), "llama.attention.key_length": uint(16) }), '"llama.rope.dimension_count" is 8'],
  ["values of another length than keys", () => model({ "llama.attention.value_length": uint(8) }), '"llama.attention.value_length" is 8'],
  ["attention that looks ahead", () => model({ "llama.attention.causal": bool(0) }), '"llama.attention.causal" is false'],
  ["a rope that is not known", () => model({ "llama.rope.scaling.type": string("spiral") }), '"llama.rope.scaling.type" is "spiral"'],
])("refuses %s", async (_what, opened, message) => {
  const error: unknown = await opened().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(FormatError);
  expect(String(error)).toContain(message);
  expect(String(error)).toContain("test.gguf");
});
