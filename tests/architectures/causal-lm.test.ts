// Decoders of text against transformers: states, logits, greedy tokens; see tests/reference/causal_lm.py.
import { existsSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type CausalLm, causalLmOf } from "../../src/architectures/causal-lm.ts";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { Checkpoint } from "../../src/formats/safetensors.ts";
import type { KvCache } from "../../src/nn/kv-cache.ts";
import { Weights } from "../../src/nn/weights.ts";
import { read, type Tensor, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { openGolden, relativeError, type Values } from "./golden.ts";

vi.setConfig({ testTimeout: 600_000 }); // a software adapter takes seconds to compile each kernel the first time

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const CASES = ["llama", "llama3", "llama-linear", "llama-dynamic", "llama-yarn"];

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

describe.each(CASES)("%s", (name) => {
  it("gives the logits of every position, whole and in chunks", async () => {
    using loaded = await load(name);
    const { model, value, prompt } = loaded;
    const { shape, data } = value("logits");
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
