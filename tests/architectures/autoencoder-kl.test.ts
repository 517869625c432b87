// AutoencoderKL against diffusers, end to end and layer by layer; see tests/reference/autoencoder_kl.py.
import { afterAll, describe, expect, it } from "vitest";
import { AutoencoderKL, autoencoderKLNames, samplePosterior } from "../../src/architectures/autoencoder-kl.ts";
import type { UNetMidBlock2D } from "../../src/architectures/autoencoder-kl-blocks.ts";
import { DEFAULT_LIMITS, Gpu } from "../../src/gpu/gpu.ts";
import { scoped } from "../../src/nn/scoped.ts";
import type { Layer } from "../../src/nn/sequence.ts";
import { CheckpointError, Weights } from "../../src/nn/weights.ts";
import { empty, read, type Tensor } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { random, readFloats } from "../kernels/values.ts";
import { openGolden, put, relativeError, type Values } from "./golden.ts";

const gpu = await testGpu();
const small = await testGpu({ limits: { maxStorageBufferBindingSize: 65536 } });
afterAll(() => [gpu, small].forEach((each) => each.destroy()));

const CASES = ["published", "later", "plain", "large"];

interface Loaded {
  readonly vae: AutoencoderKL;
  readonly weights: Weights;
  readonly value: (key: string) => Values;
}

async function load(name: string, dtype: "f32" | "f16" = "f32", device = gpu): Promise<Loaded> {
  const { config, checkpoint, expected } = await openGolden(`autoencoder-kl/${name}`, "diffusion_pytorch_model.safetensors");
  const weights = Weights.of(device, checkpoint, { name: "vae", dtype, ...autoencoderKLNames });
  const vae = new AutoencoderKL(weights, config);
  weights.finish();
  await weights.load();
  const value = (key: string) => {
    const found = expected.get(key);
    if (!found) throw new Error(`${name}: no golden value ${key}`);
    return found;
  };
  return { vae, weights, value };
}

/** Every layer's path in the checkpoint and how to run it on a golden input. */
function layersOf({ encoder, decoder }: AutoencoderKL): Map<string, Layer> {
  const layers = new Map<string, Layer>();
  const addMiddle = (path: string, { resnets, attentions }: UNetMidBlock2D) => {
    resnets.forEach((resnet, i) => layers.set(`${path}.resnets.${i}`, (x) => resnet.forward(x, null)));
    attentions.forEach((attention, i) => layers.set(`${path}.attentions.${i}`, (x) => attention.forward(x)));
  };
  encoder.downBlocks.forEach(({ resnets, downsamplers }, i) => {
    resnets.forEach((resnet, j) => layers.set(`encoder.down_blocks.${i}.resnets.${j}`, (x) => resnet.forward(x, null)));
    downsamplers.forEach((sampler, j) => layers.set(`encoder.down_blocks.${i}.downsamplers.${j}`, (x) => sampler.forward(x)));
  });
  addMiddle("encoder.mid_block", encoder.midBlock);
  addMiddle("decoder.mid_block", decoder.midBlock);
  decoder.upBlocks.forEach(({ resnets, upsamplers }, i) => {
    resnets.forEach((resnet, j) => layers.set(`decoder.up_blocks.${i}.resnets.${j}`, (x) => resnet.forward(x, null)));
    upsamplers.forEach((sampler, j) => layers.set(`decoder.up_blocks.${i}.upsamplers.${j}`, (x) => sampler.forward(x)));
  });
  return layers;
}

const decode = ({ vae, value }: Loaded): Tensor => scoped(gpu, () => vae.decode(put(gpu, value("latents"), vae.dtype)));

describe.each(CASES)("%s", (name) => {
  it("decodes as diffusers does", async () => {
    const loaded = await load(name);
    expect(await relativeError(decode(loaded), loaded.value("decoded"))).toBeLessThan(1e-4);
    loaded.weights.dispose();
  });

  it("encodes as diffusers does, and draws from the distribution", async () => {
    const { vae, weights, value } = await load(name);
    const scope = gpu.scope();
    const posterior = vae.encode(put(gpu, value("image")));
    const [mean, logvar] = [posterior.mean, posterior.logvar].map((tensor) => scope.keep(tensor.view()));
    const sampled = scope.keep(samplePosterior(posterior, put(gpu, value("noise"))));
    scope[Symbol.dispose]();
    expect(await relativeError(mean, value("mean"))).toBeLessThan(1e-4);
    expect(await relativeError(logvar, value("logvar"))).toBeLessThan(1e-4);
    expect(await relativeError(sampled, value("sampled"))).toBeLessThan(1e-4);
    weights.dispose();
  });

  it("gives every layer's output from its input", async () => {
    const { vae, weights, value } = await load(name);
    const layers = layersOf(vae);
    expect(layers.size).toBeGreaterThan(6);
    const off: string[] = [];
    for (const [path, run] of layers) {
      const error = await relativeError(scoped(gpu, () => run(put(gpu, value(`${path}:in`)))), value(`${path}:out`));
      if (!(error < 1e-4)) off.push(`${path}: ${error}`);
    }
    expect(off).toEqual([]);
    weights.dispose();
  });
});

describe.skipIf(!gpu.features.f16)("in f16 (skipped where the adapter has no shader-f16)", () => {
  it.each(["published", "later"])("%s stays within 1e-2", async (name) => {
    const loaded = await load(name, "f16");
    expect(await relativeError(decode(loaded), loaded.value("decoded"))).toBeLessThan(1e-2);
    loaded.weights.dispose();
  });

  it("activations near 1e5 are lost, which f32 holds: hence a dtype per module", async () => {
    const loaded = await load("large", "f16");
    expect(loaded.vae.config.forceUpcast).toBe(true);
    expect(await relativeError(decode(loaded), loaded.value("decoded"))).not.toBeLessThan(1);
    loaded.weights.dispose();
  });
});

describe("past the binding limit", () => {
  const run = async (device: Gpu, one: (vae: AutoencoderKL) => Tensor): Promise<Float64Array> => {
    const { vae, weights } = await load("published", "f32", device);
    using out = scoped(device, () => one(vae));
    const values = await readFloats(out);
    weights.dispose();
    return values;
  };

  it("decodes what it decodes in one piece", async () => {
    const one = (vae: AutoencoderKL) => vae.decode(random(vae.decoder.convIn.weight.gpu, [2, 13, 15, 4], "f32", 1).tensor); // largest: 52 × 60 × 16, 195 KiB
    const [whole, banded] = [await run(gpu, one), await run(small, one)];
    expect(Math.max(...banded.map((value, i) => Math.abs(value - whole[i])))).toBeLessThan(1e-5);
  });

  it("encodes what it encodes in one piece", async () => {
    const one = (vae: AutoencoderKL) => vae.encode(random(vae.encoder.convIn.weight.gpu, [1, 56, 60, 3], "f32", 2).tensor).logvar;
    const [whole, banded] = [await run(gpu, one), await run(small, one)];
    expect(Math.max(...banded.map((value, i) => Math.abs(value - whole[i])))).toBeLessThan(1e-5);
  });
});

it("frees all that it made", async () => {
  const before = gpu.memoryUse.live;
  const loaded = await load("published");
  const held = gpu.memoryUse.live;
  decode(loaded).dispose();
  const { mean, logvar } = scopeless(loaded);
  mean.dispose();
  logvar.dispose();
  expect(gpu.memoryUse.live).toBe(held);
  loaded.weights.dispose();
  expect(gpu.memoryUse.live).toBe(before);
});

/** Encodes with no scope open: what comes out is the caller's. */
function scopeless({ vae, value }: Loaded): { mean: Tensor; logvar: Tensor } {
  using image = put(gpu, value("image"));
  return vae.encode(image);
}

it("decodes 512 × 512 at full width on the smallest device that WebGPU allows", async () => {
  const planner = new Gpu(null, DEFAULT_LIMITS, gpu.features);
  const { config, checkpoint } = await openGolden("autoencoder-kl/published", "diffusion_pytorch_model.safetensors");
  const weights = Weights.of(planner, checkpoint, { name: "vae", dtype: "f32", ...autoencoderKLNames });
  const channels = [128, 256, 512, 512];
  const blocks = (type: string) => channels.map(() => type);
  const full = { block_out_channels: channels, down_block_types: blocks("DownEncoderBlock2D"), up_block_types: blocks("UpDecoderBlock2D"), norm_num_groups: 32 };
  const vae = new AutoencoderKL(weights, { ...config, ...full });
  const held = planner.memoryUse.live;
  scoped(planner, () => vae.decode(empty(planner, [1, 64, 64, 4], "f32"))).dispose();
  expect(planner.memoryUse.peak - held).toBeLessThan(1100 * 2 ** 20);
  expect(planner.work.flops).toBeGreaterThan(2.4e12);
});

describe("refuses", () => {
  it.each([
    [{ down_block_types: ["DownEncoderBlock2D", "AttnDownEncoderBlock2D", "DownEncoderBlock2D"] }, /"down_block_types" expected a list of DownEncoderBlock2D, got/],
    [{ up_block_types: ["UpDecoderBlock2D"] }, /"up_block_types" expected 3 blocks, as many as block_out_channels, got 1/],
    [{ norm_num_groups: 3 }, /"norm_num_groups" expected a divisor of 8, got 3/],
    [{ act_fn: "mish" }, /"act_fn" expected "silu" or "swish", got "mish"/],
    [{ latents_mean: [0, 0, 0, 0] }, /"latents_mean" \(\[0,0,0,0\]\) is not supported/],
    [{ latents_std: [1, 1, 1, 1] }, /"latents_std" \(\[1,1,1,1\]\) is not supported/],
    [{ norm_type: "spatial" }, /"norm_type" \("spatial"\) is not supported/],
    [{ latent_channels: 0 }, /"latent_channels" expected a positive whole number, got 0/],
  ])("a config with %o", async (change, message) => {
    const { config, checkpoint } = await openGolden("autoencoder-kl/published", "diffusion_pytorch_model.safetensors");
    const weights = Weights.of(gpu.planner(), checkpoint, { name: "vae", dtype: "f32", ...autoencoderKLNames });
    expect(() => new AutoencoderKL(weights, { ...config, ...change })).toThrow(message);
  });

  it("a checkpoint that does not fit its config, by every name", async () => {
    const { config, checkpoint } = await openGolden("autoencoder-kl/published", "diffusion_pytorch_model.safetensors");
    const weights = Weights.of(gpu.planner(), checkpoint, { name: "vae", dtype: "f32", ...autoencoderKLNames });
    new AutoencoderKL(weights, { ...config, in_channels: 4, mid_block_add_attention: false });
    expect(() => weights.finish()).toThrow(CheckpointError);
    expect(() => weights.finish()).toThrow(/encoder.conv_in.weight expected \[8, 4, 3, 3\], got \[8, 3, 3, 3\].*not part of this network: decoder.mid_block.attentions.0.group_norm.bias/s);
  });

  it("inputs of another shape", async () => {
    const { vae, weights, value } = await load("published");
    using image = put(gpu, value("image"));
    expect(() => vae.decode(image)).toThrow("autoencoder: z expected [*, *, *, 4], got [2, 12, 20, 3]");
    using latents = put(gpu, value("latents"));
    expect(() => vae.encode(latents)).toThrow("autoencoder: x expected [*, *, *, 3], got [2, 3, 5, 4]");
    expect(() => samplePosterior({ mean: latents, logvar: latents }, image)).toThrow("samplePosterior: noise expected [2, 3, 5, 4], got [2, 12, 20, 3]");
    expect(await read(latents)).toHaveLength(120);
    weights.dispose();
  });
});
