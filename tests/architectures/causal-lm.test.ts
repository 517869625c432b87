// Decoders of text against transformers: states, logits, greedy tokens; see tests/reference/causal_lm.py.
import { existsSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type CausalLm, causalLmOf } from "../../src/architectures/causal-lm.ts";
import { Decoder } from "../../src/architectures/decoder.ts";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { Checkpoint } from "../../src/formats/safetensors.ts";
import type { KvCache } from "../../src/nn/kv-cache.ts";
import { scoped } from "../../src/nn/scoped.ts";
import { Weights } from "../../src/nn/weights.ts";
import { read, type Tensor, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { openGolden, readJson, relativeError, type Values } from "./golden.ts";
import { headerOnly } from "./headers.ts";

vi.setConfig({ testTimeout: 600_000 }); // a software adapter takes seconds to compile each kernel the first time

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const CASES = ["llama", "llama3", "llama-linear", "llama-dynamic", "llama-yarn", "llama-5", "mistral", "qwen2", "qwen3", "phi3", "phi3-longrope", "gemma2", "gemma3", "smollm3", "olmo2", "gpt2", "qwen3-moe", "qwen3-moe-stacked", "mixtral"];

async function load(name: string, dtype: "f32" | "f16" = "f32") {
  const golden = await openGolden(`causal-lm/${name}`, "model.safetensors");
  const { names, create } = await causalLmOf(golden.config);
  const weights = Weights.of(gpu, golden.checkpoint, { name, dtype, ...names });
  const model = create(weights);
  weights.finish();
  await weights.load();
  const value = (key: string): Values => golden.expected.get(key) ?? { shape: [], data: new Float32Array() };
  return { model, value, prompt: [...value("input_ids").data], greedy: [...value("greedy").data], golden, [Symbol.dispose]: () => weights.dispose() };
}

/** Token ids of equal length → i32 [B, T]. */
function put(rows: readonly (readonly number[])[]): Tensor {
  return upload(gpu, Int32Array.from(rows.flat()), [rows.length, rows[0].length], "i32");
}

function step(model: CausalLm, cache: KvCache, rows: readonly (readonly number[])[], logits: "all" | "last" | "none" = "last"): Tensor {
  using ids = put(rows);
  return model.forward(ids, cache, { logits });
}

/** The largest logit of each row [V]. */
async function best(logits: Tensor): Promise<number[]> {
  const [rows, cols] = logits.shape;
  const values = await read(logits);
  logits.dispose();
  return Array.from({ length: rows }, (_, row) => {
    const own = [...values.subarray(row * cols, (row + 1) * cols)] as number[];
    return own.indexOf(Math.max(...own));
  });
}

/** What comes next, greedily, for each row of the batch. */
async function generate(model: CausalLm, cache: KvCache, prompts: readonly (readonly number[])[], count: number): Promise<number[][]> {
  const texts: number[][] = prompts.map(() => []);
  let rows = prompts;
  for (let i = 0; i < count; i++) {
    const tokens = await best(step(model, cache, rows));
    tokens.forEach((token, row) => texts[row].push(token));
    rows = tokens.map((token) => [token]);
  }
  return texts;
}

/** The states before each layer are those of transformers. */
async function expectStates(model: Decoder, prompt: readonly number[], value: (key: string) => Values): Promise<void> {
  using cache = model.newCache(1, { capacity: prompt.length });
  using ids = put([prompt]);
  let x = model.embed(ids);
  for (const [i, layer] of model.layers.entries()) {
    const state = x;
    x = scoped(gpu, () => layer.forward(state, cache));
    expect(await relativeError(state, value(`hidden_states.${i}`))).toBeLessThan(1e-4);
  }
  x.dispose();
}

describe.each(CASES)("%s", (name) => {
  it("gives the logits of every position, whole and in chunks", async () => {
    using loaded = await load(name);
    const { model, value, prompt } = loaded;
    const { shape, data } = value("logits");
    if (model instanceof Decoder) await expectStates(model, prompt, value);
    using cache = model.newCache(1);
    const all = step(model, cache, [prompt], "all");
    expect(await relativeError(all, { shape: [1, ...shape], data })).toBeLessThan(1e-4);
    expect(cache.length).toBe(prompt.length);
    cache.truncate(4);
    step(model, cache, [prompt.slice(4, 5)], "none").dispose();
    expect(await relativeError(step(model, cache, [prompt.slice(5)]), { shape: [1, shape[1]], data: data.slice(-shape[1]) })).toBeLessThan(1e-4);
  });

  it("continues greedily as generate() does, alone and in a padded batch", async () => {
    using loaded = await load(name);
    const { model, prompt, greedy } = loaded;
    using alone = model.newCache(1);
    expect(await generate(model, alone, [prompt], greedy.length)).toEqual([greedy]);
    using cache = model.newCache(2);
    cache.pad([5, 0]);
    const other = Array.from({ length: 5 }, (_, i) => 90 - 7 * i);
    const [short] = await generate(model, cache, [[0, 0, 0, 0, 0, ...prompt], [...other, ...prompt]], greedy.length);
    expect(short).toEqual(greedy);
  });
});

const STORIES = new URL("../../../shared/weights/tinystories-260k/", import.meta.url);

it.skipIf(!existsSync(STORIES))("tells of Lily and the big, red ball (skipped where ../shared/weights/tinystories-260k is absent)", async () => {
  const json = (file: string) => JSON.parse(readFileSync(new URL(file, STORIES), "utf8"));
  const { names, create } = await causalLmOf(json("config.json"));
  const checkpoint = await Checkpoint.open(bytesSource("model.safetensors", readFileSync(new URL("model.safetensors", STORIES))));
  const weights = Weights.of(gpu, checkpoint, { name: "stories", dtype: "f32", ...names });
  const model = create(weights);
  weights.finish();
  await weights.load();
  const tokens = new Map(Object.entries<number>(json("tokenizer.json").model.vocab).map(([token, id]) => [id, token]));
  const spelled = (ids: readonly number[]) => ids.map((id) => tokens.get(id)).join("").replaceAll("▁", " ");
  using cache = model.newCache(1);
  const opening = [1, 403, 407, 261, 378]; // <s> Once upon a time
  expect(spelled(opening)).toBe("<s> Once upon a time");
  const [text] = await generate(model, cache, [opening], 60);
  expect(spelled(text)).toContain("there was a little girl named Lily");
  expect(spelled(text)).toContain("big, red ball");
  weights.dispose();
});

it("frees all that it made", async () => {
  const before = gpu.memoryUse.live;
  const loaded = await load("llama");
  const cache = loaded.model.newCache(1);
  step(loaded.model, cache, [loaded.prompt]).dispose();
  cache.dispose();
  loaded[Symbol.dispose]();
  expect(gpu.memoryUse.live).toBe(before);
});

it.skipIf(!gpu.features.f16)("keeps keys and values in f16 where asked (skipped where the adapter has no shader-f16)", async () => {
  using loaded = await load("llama");
  const { model, value, prompt } = loaded;
  using cache = model.newCache(1, { dtype: "f16" });
  const { shape, data } = value("logits");
  expect(await relativeError(step(model, cache, [prompt], "all"), { shape: [1, ...shape], data })).toBeLessThan(5e-3);
});

it.skipIf(!gpu.features.f16)("stays within 2e-2 in f16 (skipped where the adapter has no shader-f16)", async () => {
  using loaded = await load("llama", "f16");
  const { model, value, prompt } = loaded;
  using cache = model.newCache(1);
  const { shape, data } = value("logits");
  expect(await relativeError(step(model, cache, [prompt], "all"), { shape: [1, ...shape], data })).toBeLessThan(2e-2);
});

it("finds the text part of a Gemma 3 that also sees pictures", async () => {
  const { config, checkpoint } = await openGolden("causal-lm/gemma3", "model.safetensors");
  const text = [...checkpoint.tensors].map(([name, { shape }]) => [`language_model.${name}`, shape] as const);
  const tensors = Object.fromEntries([...text, ["vision_tower.vision_model.post_layernorm.weight", [8]], ["multi_modal_projector.mm_soft_emb_norm.weight", [8]]]);
  const { names, create } = await causalLmOf({ model_type: "gemma3", mm_tokens_per_image: 256, text_config: config, vision_config: {} });
  const planner = gpu.planner();
  const weights = Weights.of(planner, await Checkpoint.open(headerOnly("gemma3", tensors)), { name: "gemma3", dtype: "f32", ...names });
  const model = create(weights);
  weights.finish();
  expect(model.vocabSize).toBe(96);
  await expect(causalLmOf({ model_type: "gemma3", text_config: { ...config, attn_logit_softcapping: 5 } })).rejects.toThrow(/text_config: config key "attn_logit_softcapping" expected null, got 5/);
});

describe("refuses", () => {
  const config = readJson("causal-lm/llama/config.json") as Record<string, unknown>;

  it("what it does not support, by key and value", async () => {
    await expect(causalLmOf({ ...config, model_type: "mamba" })).rejects.toThrow(/"model_type" expected one of .*llama.*, got "mamba"/);
    await expect(causalLmOf({ ...config, hidden_act: "mish" })).rejects.toThrow(/"hidden_act" expected .* got "mish"/);
    await expect(causalLmOf({ ...config, num_key_value_heads: 3 })).rejects.toThrow(/"num_key_value_heads" expected a divisor of 4, got 3/);
    await expect(causalLmOf({ ...config, rope_scaling: { rope_type: "spiral", factor: 2 } })).rejects.toThrow(/rope: config key "rope_type" expected .* got "spiral"/);
    await expect(causalLmOf({ ...config, rope_scaling: { rope_type: "linear", factor: 2, tilt: 1 } })).rejects.toThrow(/rope: config key "tilt" \(1\) is not supported/);
    await expect(causalLmOf({ ...config, quantization_config: { bits: 4 } })).rejects.toThrow(/"quantization_config" .* is not supported/);
  });

  it("more tokens than the context, and padding that comes too late", async () => {
    using loaded = await load("llama");
    using cache = loaded.model.newCache(1);
    expect(() => step(loaded.model, cache, [new Array(65).fill(3)])).toThrow("cache: the model's context is 64 tokens; 0 are held and 65 more do not fit");
    step(loaded.model, cache, [[1, 2, 3]], "none").dispose();
    expect(() => cache.pad([1])).toThrow("cache: padding comes before the first token; 3 are held");
    expect(() => cache.truncate(4)).toThrow("cache: truncate to 4 tokens, 3 are held");
  });
});
