// CLIPTextModel against transformers, layer by layer; see tests/reference/clip_text.py.
import { afterAll, describe, expect, it, vi } from "vitest";
import { ClipTextModel, clipTextNames } from "../../src/architectures/clip-text.ts";
import { CheckpointError, Weights } from "../../src/nn/weights.ts";
import { type Tensor, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { type Golden, openGolden, put, relativeError, type Values } from "./golden.ts";

vi.setConfig({ testTimeout: 300_000 }); // a software adapter takes seconds to compile each kernel the first time

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const CASES = ["published", "plain", "projection"];

async function load(name: string, dtype: "f32" | "f16" = "f32") {
  const golden = await openGolden(`clip-text/${name}`, "model.safetensors");
  const weights = Weights.of(gpu, golden.checkpoint, { name: "text_encoder", dtype, ...clipTextNames });
  const model = new ClipTextModel(weights, golden.config);
  weights.finish();
  await weights.load();
  const value = (key: string): Values => golden.expected.get(key) ?? { shape: [], data: new Float32Array() };
  const { shape, data } = value("input_ids");
  const rows = Array.from({ length: shape[0] }, (_, n) => Int32Array.from(data.subarray(n * shape[1], (n + 1) * shape[1])));
  const ids = upload(gpu, Int32Array.from(data), shape, "i32");
  const dispose = () => [ids, weights].forEach((owned) => owned.dispose());
  return { golden, model, value, ids, rows, dispose };
}

describe.each(CASES)("%s", (name) => {
  it("gives the hidden state after every layer", async () => {
    const { model, value, ids, dispose } = await load(name);
    const { hiddenStates, lastHiddenState } = model.forward(ids);
    expect(hiddenStates.length).toBe(model.layers.length + 1);
    for (const [i, state] of hiddenStates.entries()) expect(await relativeError(state, value(`hidden_states.${i}`))).toBeLessThan(1e-4);
    expect(await relativeError(lastHiddenState, value("last_hidden_state"))).toBeLessThan(1e-4);
    dispose();
  });

  it("pools at the end token", async () => {
    const { model, value, rows, dispose } = await load(name);
    using last = put(gpu, value("last_hidden_state"));
    expect(await relativeError(model.pool(last, rows), value("pooler_output"))).toBeLessThan(1e-6);
    dispose();
  });

  it.skipIf(!gpu.features.f16)("stays within 1e-2 in f16 (skipped where the adapter has no shader-f16)", async () => {
    const { model, value, ids, dispose } = await load(name, "f16");
    const { hiddenStates, lastHiddenState } = model.forward(ids);
    for (const state of hiddenStates) state.dispose();
    expect(lastHiddenState.dtype).toBe("f16");
    expect(await relativeError(lastHiddenState, value("last_hidden_state"))).toBeLessThan(1e-2);
    dispose();
  });
});

it("projects the pooled state where the checkpoint has a projection", async () => {
  const { model, value, rows, dispose } = await load("projection");
  using last = put(gpu, value("last_hidden_state"));
  expect(await relativeError(model.textEmbeds(last, rows), value("text_embeds"))).toBeLessThan(1e-4);
  dispose();
});

it("frees all that it made", async () => {
  const before = gpu.memoryUse.live;
  const { model, ids, dispose } = await load("published");
  const { hiddenStates, lastHiddenState } = model.forward(ids);
  const made: readonly Tensor[] = [...hiddenStates, lastHiddenState];
  for (const tensor of made) tensor.dispose();
  dispose();
  expect(gpu.memoryUse.live).toBe(before);
});

describe("refuses", () => {
  let golden: Golden;
  const refused = (change: Record<string, unknown>) => () => {
    const weights = Weights.of(gpu.planner(), golden.checkpoint, { name: "text_encoder", dtype: "f32", ...clipTextNames });
    return new ClipTextModel(weights, { ...golden.config, ...change });
  };

  it("a config that it does not support, by key and value", async () => {
    golden = await openGolden("clip-text/published", "model.safetensors");
    expect(refused({ hidden_act: "mish" })).toThrow(/"hidden_act" expected .* got "mish"/);
    expect(refused({ num_attention_heads: 5 })).toThrow(/"num_attention_heads" expected a divisor of 24, got 5/);
    expect(refused({ rope_theta: 10000 })).toThrow(/"rope_theta" \(10000\) is not supported/);
  });

  it("a checkpoint of another size, by every name", () => {
    const weights = Weights.of(gpu, golden.checkpoint, { name: "text_encoder", dtype: "f32", ...clipTextNames });
    const model = new ClipTextModel(weights, { ...golden.config, num_hidden_layers: 4, vocab_size: 65 });
    expect(model.layers.length).toBe(4);
    expect(() => weights.finish()).toThrow(CheckpointError);
    expect(() => weights.finish()).toThrow(/token_embedding.weight expected \[65, 24\], got \[64, 24\].*missing encoder.layers.3/s);
    weights.dispose();
  });

  it("more tokens than it has positions", async () => {
    const { model, dispose } = await load("published");
    using ids = upload(gpu, new Int32Array(14), [1, 14], "i32");
    expect(() => model.forward(ids)).toThrow(/\[N, T ≤ 13\], got \[1, 14\]/);
    dispose();
  });
});
