// UNet2DConditionModel against diffusers, end to end and layer by layer; see tests/reference/unet_2d_condition.py.
import { afterAll, describe, expect, it, vi } from "vitest";
import type { Transformer2DModel } from "../../src/architectures/transformer-2d.ts";
import type { ResnetBlock2D } from "../../src/architectures/resnet-2d.ts";
import { guidanceScaleEmbedding } from "../../src/kernels/timestep-embedding.ts";
import { UNet2DConditionModel } from "../../src/architectures/unet-2d-condition.ts";
import { activate } from "../../src/kernels/activation.ts";
import { add } from "../../src/kernels/elementwise.ts";
import { scoped } from "../../src/nn/scoped.ts";
import { CheckpointError, Weights } from "../../src/nn/weights.ts";
import { read, type Tensor } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { type Golden, openGolden, put, relativeError, type Values } from "./golden.ts";

vi.setConfig({ testTimeout: 300_000 }); // a software adapter takes seconds to compile each kernel the first time

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const CASES = ["sd1", "sd2", "lcm", "inpaint", "emoji", "varied", "plain-middle", "no-middle"];
/** Of the two pictures, where the network is told. */
const GUIDANCE_SCALES = [7.5, 1];

interface Loaded {
  readonly unet: UNet2DConditionModel;
  readonly weights: Weights;
  readonly value: (key: string) => Values;
}

async function load(name: string, dtype: "f32" | "f16" = "f32"): Promise<Loaded> {
  const { config, checkpoint, expected } = await openGolden(`unet-2d-condition/${name}`, "diffusion_pytorch_model.safetensors");
  const weights = Weights.of(gpu, checkpoint, { name: "unet", dtype });
  const unet = new UNet2DConditionModel(weights, config);
  weights.finish();
  await weights.load();
  const value = (key: string) => {
    const found = expected.get(key);
    if (!found) throw new Error(`${name}: no golden value ${key}`);
    return found;
  };
  return { unet, weights, value };
}

function forward({ unet, value }: Loaded, dtype: "f32" | "f16" = "f32"): Tensor {
  return scoped(gpu, () => {
    const { timeCondProjDim } = unet.config;
    const timestepCond = timeCondProjDim === null ? undefined : guidanceScaleEmbedding(gpu, GUIDANCE_SCALES, timeCondProjDim);
    return unet.forward(put(gpu, value("sample"), dtype), [...value("timestep").data], put(gpu, value("encoder_hidden_states"), dtype), { timestepCond });
  });
}

/** Every layer's path in the checkpoint and how to run it on a golden input. */
function layersOf({ unet, value }: Loaded): Map<string, (x: Tensor) => Tensor> {
  const layers = new Map<string, (x: Tensor) => Tensor>();
  const text = () => put(gpu, value("encoder_hidden_states"));
  const time = () => {
    const embedded = put(gpu, value("time_embedding:out"));
    return activate(unet.addEmbedding ? add(embedded, put(gpu, value("add_embedding:out"))) : embedded, "silu");
  };
  const addLevel = (path: string, resnets: readonly ResnetBlock2D[], transformers: readonly Transformer2DModel[]) => {
    resnets.forEach((resnet, i) => layers.set(`${path}.resnets.${i}`, (x) => resnet.forward(x, time())));
    transformers.forEach((transformer, i) => {
      layers.set(`${path}.attentions.${i}`, (x) => transformer.forward(x, text()));
      transformer.transformerBlocks.forEach((block, j) => layers.set(`${path}.attentions.${i}.transformer_blocks.${j}`, (x) => block.forward(x, text())));
    });
  };
  layers.set("time_embedding", (x) => unet.timeEmbedding.forward(x, unet.config.timeCondProjDim === null ? undefined : put(gpu, value("timestep_cond"))));
  const { addEmbedding } = unet;
  if (addEmbedding) layers.set("add_embedding", (x) => addEmbedding.forward(x));
  unet.downBlocks.forEach((block, i) => {
    addLevel(`down_blocks.${i}`, block.resnets, block.attentions);
    block.downsamplers.forEach((sampler, j) => layers.set(`down_blocks.${i}.downsamplers.${j}`, (x) => sampler.forward(x)));
  });
  if (unet.midBlock) addLevel("mid_block", unet.midBlock.resnets, unet.midBlock.attentions);
  unet.upBlocks.forEach((block, i) => {
    addLevel(`up_blocks.${i}`, block.resnets, block.attentions);
    block.upsamplers.forEach((sampler, j) => {
      const path = `up_blocks.${i}.upsamplers.${j}`;
      const [, height, width] = value(`${path}:out`).shape;
      layers.set(path, (x) => sampler.forward(x, [height, width]));
    });
  });
  return layers;
}

describe.each(CASES)("%s", (name) => {
  it("gives diffusers' output", async () => {
    const loaded = await load(name);
    expect(await relativeError(forward(loaded), loaded.value("out"))).toBeLessThan(1e-4);
    loaded.weights.dispose();
  });

  it("gives every layer's output from its input", async () => {
    const loaded = await load(name);
    const layers = layersOf(loaded);
    expect(layers.size).toBeGreaterThan(10);
    const off: string[] = [];
    for (const [path, run] of layers) {
      const error = await relativeError(scoped(gpu, () => run(put(gpu, loaded.value(`${path}:in`)))), loaded.value(`${path}:out`));
      if (!(error < 1e-4)) off.push(`${path}: ${error}`);
    }
    expect(off).toEqual([]);
    loaded.weights.dispose();
  });

  it.skipIf(!gpu.features.f16)("stays within 1e-2 in f16 (skipped where the adapter has no shader-f16)", async () => {
    const loaded = await load(name, "f16");
    const out = forward(loaded, "f16");
    expect(out.dtype).toBe("f16");
    expect(await relativeError(out, loaded.value("out"))).toBeLessThan(1e-2);
    loaded.weights.dispose();
  });
});

it("takes one timestep for all", async () => {
  const loaded = await load("sd1");
  const { unet, value } = loaded;
  const run = (timestep: number | readonly number[]) => scoped(gpu, () => unet.forward(put(gpu, value("sample")), timestep, put(gpu, value("encoder_hidden_states"))));
  using each = run([500, 500]);
  const data = await read(each as Tensor & { readonly dtype: "f32" });
  expect(await relativeError(run(500), { shape: each.shape, data })).toBe(0);
  loaded.weights.dispose();
});

it("frees all that it made, and needs no more memory the second time", async () => {
  const before = gpu.memoryUse.live;
  const loaded = await load("sd2");
  const held = gpu.memoryUse.live;
  forward(loaded).dispose();
  expect(gpu.memoryUse.live).toBe(held);
  gpu.memory.resetPeak();
  const { peak } = gpu.memoryUse;
  forward(loaded).dispose();
  expect(gpu.memoryUse.peak).toBe(peak);
  loaded.weights.dispose();
  expect(gpu.memoryUse.live).toBe(before);
});

describe("refuses", () => {
  let golden: Golden;
  const refused = (change: Record<string, unknown>) => () => {
    const weights = Weights.of(gpu.planner(), golden.checkpoint, { name: "unet", dtype: "f32" });
    return new UNet2DConditionModel(weights, { ...golden.config, ...change });
  };

  it.each([
    [{ down_block_types: ["AttnDownBlock2D", "DownBlock2D"] }, /"down_block_types" expected a list of CrossAttnDownBlock2D, DownBlock2D, got/],
    [{ up_block_types: ["UpBlock2D"] }, /"up_block_types" expected 2 blocks, as many as down_block_types, got 1/],
    [{ mid_block_type: "UNetMidBlock2DSimpleCrossAttn" }, /"mid_block_type" expected .* got "UNetMidBlock2DSimpleCrossAttn"/],
    [{ addition_embed_type: "text_time" }, /"addition_embed_type" expected null or "text", got "text_time"/],
    [{ attention_head_dim: [3, 4] }, /"attention_head_dim" \(the number of heads\) expected a divisor of 16, got 3/],
    [{ attention_head_dim: [2, 4, 8] }, /"attention_head_dim" expected a positive whole number or 2 of them, got \[2,4,8\]/],
    [{ cross_attention_dim: [24, 32] }, /"cross_attention_dim" expected one size for all blocks, got \[24,32\]/],
    [{ only_cross_attention: [true] }, /"only_cross_attention" expected true, false or 2 of them, got \[true\]/],
    [{ class_embed_type: "timestep" }, /"class_embed_type" \("timestep"\) is not supported/],
    [{ num_class_embeds: 10 }, /"num_class_embeds" \(10\) is not supported/],
    [{ dual_cross_attention: true }, /"dual_cross_attention" \(true\) is not supported/],
    [{ encoder_hid_dim: 64 }, /"encoder_hid_dim" \(64\) is not supported/],
    [{ num_attention_heads: 8 }, /"num_attention_heads" \(8\) is not supported/],
    [{ time_embedding_type: "fourier" }, /"time_embedding_type" expected "positional", got "fourier"/],
    [{ time_embedding_act_fn: "silu" }, /"time_embedding_act_fn" \("silu"\) is not supported/],
    [{ act_fn: "mish" }, /"act_fn" expected "silu" or "swish", got "mish"/],
    [{ attention_type: "gated" }, /"attention_type" expected "default", got "gated"/],
    [{ transformer_layers_per_block: [[1], [2]] }, /"transformer_layers_per_block" expected .* got \[\[1\],\[2\]\]/],
  ])("a config with %o", async (change, message) => {
    golden ??= await openGolden("unet-2d-condition/sd1", "diffusion_pytorch_model.safetensors");
    expect(refused(change)).toThrow(message);
  });

  it("a checkpoint that does not fit its config, by every name", async () => {
    golden ??= await openGolden("unet-2d-condition/sd1", "diffusion_pytorch_model.safetensors");
    const weights = Weights.of(gpu, golden.checkpoint, { name: "unet", dtype: "f32" });
    new UNet2DConditionModel(weights, { ...golden.config, in_channels: 9, use_linear_projection: true, time_cond_proj_dim: 4 });
    expect(() => weights.finish()).toThrow(CheckpointError);
    expect(() => weights.finish()).toThrow(/conv_in.weight expected \[16, 9, 3, 3\], got \[16, 4, 3, 3\].*missing time_embedding.cond_proj.weight \[16, 4\].*proj_in.weight expected \[16, 16\], got \[16, 16, 1, 1\]/s);
    weights.dispose();
  });

  it("inputs of another shape", async () => {
    const loaded = await load("lcm");
    const { unet, value } = loaded;
    const run = (sample: string, text: string) => () => scoped(gpu, () => unet.forward(put(gpu, value(sample)), 5, put(gpu, value(text))));
    expect(run("out", "timestep_cond")).toThrow(/unet: text expected \[2, \*, 24\], got \[2, 20\]/);
    expect(run("encoder_hidden_states", "encoder_hidden_states")).toThrow(/unet: sample expected/);
    loaded.weights.dispose();
  });
});
