// T5 against transformers, block by block and token by token; see tests/reference/t5.py.
import { afterAll, describe, expect, it, vi } from "vitest";
import { T5EncoderModel, T5ForConditionalGeneration, t5EncoderNames, t5Names } from "../../src/architectures/t5.ts";
import { bucketOf } from "../../src/architectures/t5-relative-bias.ts";
import { affine } from "../../src/kernels/elementwise.ts";
import { Checkpoint } from "../../src/formats/safetensors.ts";
import { DEFAULT_LIMITS, Gpu } from "../../src/gpu/gpu.ts";
import { CheckpointError, Weights } from "../../src/nn/weights.ts";
import { empty, read, type Tensor, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { type Golden, openGolden, readJson, relativeError, type Values } from "./golden.ts";
import { headerOnly } from "./headers.ts";

vi.setConfig({ testTimeout: 600_000 }); // a software adapter takes seconds to compile each kernel the first time

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const DTYPES = gpu.features.f16 ? (["f32", "f16"] as const) : (["f32"] as const);

function valueOf(golden: Golden, key: string): Values {
  return golden.expected.get(key) ?? { shape: [], data: new Float32Array() };
}

function integers({ shape, data }: Values): Tensor {
  return upload(gpu, Int32Array.from(data), shape, "i32");
}

async function loadEncoder(name: string, dtype: "f32" | "f16" = "f32") {
  const golden = await openGolden(`t5/${name}`, "model.safetensors");
  const weights = Weights.of(gpu, golden.checkpoint, { name: "text_encoder", dtype, ...t5EncoderNames });
  const model = new T5EncoderModel(weights, golden.config);
  weights.finish();
  await weights.load();
  const [ids, mask] = ["input_ids", "attention_mask"].map((key) => integers(valueOf(golden, key)));
  return { golden, model, ids, mask, dispose: () => [ids, mask, weights].forEach((owned) => owned.dispose()) };
}

async function load(name: string, dtype: "f32" | "f16" = "f32") {
  const golden = await openGolden(`t5/${name}`, "model.safetensors");
  const weights = Weights.of(gpu, golden.checkpoint, { name, dtype, ...t5Names });
  const model = new T5ForConditionalGeneration(weights, golden.config);
  weights.finish();
  await weights.load();
  const [ids, mask] = ["input_ids", "attention_mask"].map((key) => integers(valueOf(golden, key)));
  return { golden, model, ids, mask, dispose: () => [ids, mask, weights].forEach((owned) => owned.dispose()) };
}

/** The most likely next token of each row, [B]. */
async function best(logits: Tensor): Promise<number[]> {
  const [batch, vocab] = logits.shape;
  const values = await read(logits);
  logits.dispose();
  return Array.from({ length: batch }, (_, b) => {
    const row = Array.from(values.subarray(b * vocab, (b + 1) * vocab));
    return row.indexOf(Math.max(...row));
  });
}

it("puts every distance into transformers' bucket", () => {
  const rows = readJson("t5/buckets.json") as readonly { bidirectional: boolean; buckets: number; maxDistance: number; distances: number[]; expected: number[] }[];
  expect(rows.length).toBe(8);
  for (const { distances, expected, ...options } of rows) expect(distances.map((distance) => bucketOf(distance, options))).toEqual(expected);
});

describe.each(["v1", "v1-1", "encoder"])("the encoder of %s", (name) => {
  it("gives the states after every block, padding hidden", async () => {
    const { golden, model, ids, mask, dispose } = await loadEncoder(name);
    let x = model.embed(ids);
    using bias = model.encoder.relativeBias.forward(ids.dim(1), ids.dim(1));
    for (const [i, block] of model.encoder.block.entries()) {
      const scope = gpu.scope();
      const next = scope.keep(block.forward(x, bias, mask));
      scope[Symbol.dispose]();
      expect(await relativeError(x, valueOf(golden, `hidden_states.${i}`))).toBeLessThan(1e-4);
      x = next;
    }
    expect(await relativeError(x, valueOf(golden, `hidden_states.${model.encoder.block.length}`))).toBeLessThan(1e-4);
    expect(await relativeError(model.forward(ids, mask), valueOf(golden, "last_hidden_state"))).toBeLessThan(1e-4);
    dispose();
  });
});

describe.each(["v1", "v1-1"])("%s", (name) => {
  it("gives the decoder's logits, at once and in pieces", async () => {
    const { golden, model, ids, mask, dispose } = await load(name);
    using encoded = model.encode(ids, mask);
    const answer = valueOf(golden, "decoder_input_ids");
    using tokens = integers(answer);
    const expected = valueOf(golden, "logits");
    using cache = model.newCache(encoded, mask);
    expect(await relativeError(model.forward(tokens, cache, { logits: "all" }), expected)).toBeLessThan(1e-4);

    using pieces = model.newCache(encoded, mask, { dtype: "f32" });
    const [batch, length] = answer.shape;
    const [half, vocab] = [10, expected.shape[2]];
    using first = integers({ shape: [batch, half], data: answer.data.filter((_, i) => i % length < half) });
    using rest = integers({ shape: [batch, length - half], data: answer.data.filter((_, i) => i % length >= half) });
    expect(model.forward(first, pieces, { logits: "none" }).shape).toEqual([batch, 0, vocab]);
    expect(pieces.length).toBe(half);
    const last = { shape: [batch, vocab], data: expected.data.filter((_, i) => Math.floor(i / vocab) % length === length - 1) };
    expect(await relativeError(model.forward(rest, pieces), last)).toBeLessThan(1e-4);
    dispose();
  });

  it("gives the same 16 tokens, one by one", async () => {
    const { golden, model, ids, mask, dispose } = await load(name);
    const { shape, data } = valueOf(golden, "greedy");
    const [batch, length] = shape;
    using encoded = model.encode(ids, mask);
    using cache = model.newCache(encoded, mask);
    const rows: number[][] = Array.from({ length: batch }, () => [model.config.decoderStartTokenId]);
    for (let i = 1; i < length; i++) {
      using token = upload(gpu, Int32Array.from(rows, (row) => row[row.length - 1]), [batch, 1], "i32");
      for (const [b, id] of (await best(model.forward(token, cache))).entries()) rows[b].push(id);
    }
    expect(rows.flat()).toEqual(Array.from(data));
    dispose();
  });
});

it.skipIf(!gpu.features.f16)("stays within 1e-2 with f16 weights (skipped where the adapter has no shader-f16)", async () => {
  const { golden, model, ids, mask, dispose } = await load("v1-1", "f16");
  using encoded = model.encode(ids, mask);
  using cache = model.newCache(encoded, mask);
  using tokens = integers(valueOf(golden, "decoder_input_ids"));
  expect(encoded.dtype).toBe("f32");
  expect(await relativeError(model.forward(tokens, cache, { logits: "all" }), valueOf(golden, "logits"))).toBeLessThan(1e-2);
  dispose();
});

it.each(DTYPES)("keeps activations that pass f16's range (%s weights)", async (dtype) => {
  const { golden, model, ids, mask, dispose } = await loadEncoder("v1-1", dtype);
  const start = valueOf(golden, "hidden_states.0");
  const scope = gpu.scope();
  const bias = model.encoder.relativeBias.forward(ids.dim(1), ids.dim(1));
  // The norm takes the scale of its input away: what the block adds is the same for states 1e6 times as large.
  const states = affine(model.embed(ids), 1e6);
  const block = scope.keep(model.encoder.block[0].forward(states, bias, mask));
  scope[Symbol.dispose]();
  const values = await read(block);
  block.dispose();
  expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(65504);
  expect(values.every(Number.isFinite)).toBe(true);
  start.data.forEach((value, i) => expect(Math.abs(values[i] - 1e6 * value)).toBeLessThan(1e3));
  dispose();
});

it("frees all that it made", async () => {
  const before = gpu.memoryUse.live;
  const { model, ids, mask, dispose } = await load("v1");
  const encoded = model.encode(ids, mask);
  const cache = model.newCache(encoded, mask);
  using token = upload(gpu, new Int32Array(2), [2, 1], "i32");
  model.forward(token, cache).dispose();
  [encoded, cache, token].forEach((owned) => owned.dispose());
  dispose();
  expect(gpu.memoryUse.live).toBe(before);
});

describe("refuses", () => {
  const planned = async (change: Record<string, unknown>) => {
    const golden = await openGolden("t5/v1", "model.safetensors");
    const weights = Weights.of(gpu.planner(), golden.checkpoint, { name: "t5", dtype: "f32", ...t5Names });
    return { weights, create: () => new T5ForConditionalGeneration(weights, { ...golden.config, ...change }) };
  };

  it.each([
    [{ feed_forward_proj: "gated-mish" }, /"feed_forward_proj" expected .* got "gated-mish"/],
    [{ model_type: "umt5" }, /"model_type" expected "t5", got "umt5"/],
    [{ rope_theta: 10000 }, /"rope_theta" \(10000\) is not supported/],
  ])("a config that it does not support: %o", async (change, message) => {
    expect((await planned(change)).create).toThrow(message);
  });

  it("a checkpoint of another size, by every name", async () => {
    const { weights, create } = await planned({ num_layers: 4, vocab_size: 97 });
    create();
    expect(() => weights.finish()).toThrow(CheckpointError);
    expect(() => weights.finish()).toThrow(/shared.weight expected \[97, 32\], got \[96, 32\].*missing encoder.block.3.layer.0.SelfAttention.q.weight \[24, 32\]/s);
  });
});

it.each([
  [{}, true],
  [{ tie_word_embeddings: false }, false],
  [{ tie_word_embeddings: true, scale_decoder_outputs: false }, false],
])("scales the head's input as the config says: %o", async (change, scaled) => {
  const golden = await openGolden("t5/v1", "model.safetensors");
  const { scale_decoder_outputs: _, tie_word_embeddings: __, ...config } = golden.config;
  const weights = Weights.of(gpu.planner(), golden.checkpoint, { name: "t5", dtype: "f32", ...t5Names });
  expect(new T5ForConditionalGeneration(weights, { ...config, ...change }).config.scaledHead).toBe(scaled);
});

describe("full size on paper", () => {
  const models = Object.entries(readJson("t5/published-shapes.json") as Record<string, { config: Record<string, unknown>; tensors: Record<string, readonly number[]> }>);

  it.each(models)("%s has the tensors that we take, and fits in memory", async (name, { config, tensors }) => {
    const paper = new Gpu(null, { ...DEFAULT_LIMITS, maxBufferSize: 2 ** 31 }, { f16: true, subgroups: false, timestamps: false });
    const alone = String(config.architectures) === "T5EncoderModel";
    const weights = Weights.of(paper, await Checkpoint.open(headerOnly(name, tensors)), { name, dtype: "f16", ...(alone ? t5EncoderNames : t5Names) });
    const model = alone ? new T5EncoderModel(weights, config) : new T5ForConditionalGeneration(weights, config);
    weights.finish();
    const bytes = paper.memoryUse.live;
    const scope = paper.scope();
    const ids = empty(paper, [1, 512], "i32");
    const encoded = model instanceof T5EncoderModel ? model.forward(ids) : model.encode(ids);
    expect(encoded.shape).toEqual([1, 512, config.d_model]);
    if (model instanceof T5ForConditionalGeneration) {
      const cache = model.newCache(encoded);
      expect(model.forward(empty(paper, [1, 1], "i32"), cache).shape).toEqual([1, 32128]);
      cache.dispose();
    }
    scope[Symbol.dispose]();
    expect(paper.memoryUse.live).toBe(bytes);
    console.log(`${name}: weights ${(bytes / 2 ** 20).toFixed(0)} MiB, at most ${((paper.memoryUse.peak - bytes) / 2 ** 20).toFixed(0)} MiB besides for 512 tokens`);
    expect(paper.memoryUse.peak - bytes).toBeLessThan(320 * 2 ** 20);
  });
});
