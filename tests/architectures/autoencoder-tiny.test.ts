// AutoencoderTiny against diffusers, end to end and layer by layer; see tests/reference/autoencoder_tiny.py.
import { afterAll, describe, expect, it } from "vitest";
import { AutoencoderTiny } from "../../src/architectures/autoencoder-tiny.ts";
import { scoped } from "../../src/nn/scoped.ts";
import { CheckpointError, Weights } from "../../src/nn/weights.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { random, readFloats } from "../kernels/values.ts";
import { openGolden, put, relativeError, type Values } from "./golden.ts";

const gpu = await testGpu();
const small = await testGpu({ limits: { maxStorageBufferBindingSize: 8192 } });
afterAll(() => [gpu, small].forEach((each) => each.destroy()));

interface Loaded {
  readonly vae: AutoencoderTiny;
  readonly weights: Weights;
  readonly value: (key: string) => Values;
}

async function load(name: string, dtype: "f32" | "f16" = "f32", device = gpu): Promise<Loaded> {
  const { config, checkpoint, expected } = await openGolden(`autoencoder-tiny/${name}`, "diffusion_pytorch_model.safetensors");
  const weights = Weights.of(device, checkpoint, { name: "vae", dtype });
  const vae = new AutoencoderTiny(weights, config);
  weights.finish();
  await weights.load();
  const value = (key: string) => {
    const found = expected.get(key);
    if (!found) throw new Error(`${name}: no golden value ${key}`);
    return found;
  };
  return { vae, weights, value };
}

const run = ({ value }: Loaded, key: string, forward: (x: Tensor) => Tensor, dtype: "f32" | "f16" = "f32"): Tensor => scoped(gpu, () => forward(put(gpu, value(key), dtype)));

describe.each(["published", "varied"])("%s", (name) => {
  it("encodes and decodes as diffusers does", async () => {
    const loaded = await load(name);
    const { vae, weights, value } = loaded;
    expect(await relativeError(run(loaded, "image", (x) => vae.encode(x)), value("encoded"))).toBeLessThan(1e-4);
    expect(await relativeError(run(loaded, "latents", (z) => vae.decode(z)), value("decoded"))).toBeLessThan(1e-4);
    weights.dispose();
  });

  it("scales latents as diffusers does", async () => {
    const loaded = await load(name);
    const { vae, weights, value } = loaded;
    expect(await relativeError(run(loaded, "encoded", (z) => vae.scaleLatents(z)), value("scaled"))).toBeLessThan(1e-6);
    expect(await relativeError(run(loaded, "scaled", (z) => vae.unscaleLatents(z)), value("unscaled"))).toBeLessThan(1e-6);
    weights.dispose();
  });

  it("gives every layer's output from the one before", async () => {
    const loaded = await load(name);
    const off: string[] = [];
    for (const side of ["encoder", "decoder"] as const) {
      const layers = [...loaded.vae[side]];
      expect(layers.length).toBeGreaterThan(5);
      for (const [i, [number, layer]] of layers.entries()) {
        if (i === 0) continue; // its input is the scaled image or the squashed latents
        const error = await relativeError(run(loaded, `${side}.layers.${layers[i - 1][0]}`, layer), loaded.value(`${side}.layers.${number}`));
        if (!(error < 1e-4)) off.push(`${side}.layers.${number}: ${error}`);
      }
    }
    expect(off).toEqual([]);
    loaded.weights.dispose();
  });

  it.skipIf(!gpu.features.f16)("stays within 1e-2 in f16 (skipped where the adapter has no shader-f16)", async () => {
    const loaded = await load(name, "f16");
    const out = run(loaded, "latents", (z) => loaded.vae.decode(z), "f16");
    expect(out.dtype).toBe("f16");
    expect(await relativeError(out, loaded.value("decoded"))).toBeLessThan(1e-2);
    loaded.weights.dispose();
  });
});

it("decodes past the binding limit what it decodes in one piece", async () => {
  const decoded = async (device: typeof gpu): Promise<Float64Array> => {
    const { vae, weights } = await load("published", "f32", device);
    using out = scoped(device, () => vae.decode(random(device, [1, 5, 3, 4], "f32", 1).tensor)); // largest: 40 × 24 × 8, 30 KiB
    const values = await readFloats(out);
    weights.dispose();
    return values;
  };
  const [whole, banded] = [await decoded(gpu), await decoded(small)];
  expect(Math.max(...banded.map((value, i) => Math.abs(value - whole[i])))).toBeLessThan(1e-5);
});

it("frees all that it made, and needs no more memory the second time", async () => {
  const before = gpu.memoryUse.live;
  const loaded = await load("published");
  const held = gpu.memoryUse.live;
  const once = () => run(loaded, "latents", (z) => loaded.vae.decode(z)).dispose();
  once();
  expect(gpu.memoryUse.live).toBe(held);
  gpu.memory.resetPeak();
  const { peak } = gpu.memoryUse;
  once();
  expect(gpu.memoryUse.peak).toBe(peak);
  loaded.weights.dispose();
  expect(gpu.memoryUse.live).toBe(before);
});

describe("refuses", () => {
  it.each([
    [{ act_fn: "mish" }, /"act_fn" expected "relu" or "silu" or "swish" or "gelu", got "mish"/],
    [{ upsample_fn: "bilinear" }, /"upsample_fn" expected "nearest", got "bilinear"/],
    [{ encoder_block_out_channels: [8, 8, 16, 16] }, /"encoder_block_out_channels" expected one size for all blocks, got \[8,8,16,16\]/],
    [{ decoder_block_out_channels: [8, 8] }, /"decoder_block_out_channels" expected a positive whole number or 4 of them, got \[8,8\]/],
    [{ num_encoder_blocks: [0] }, /"num_encoder_blocks" expected a list of positive whole numbers, got \[0\]/],
    [{ use_residual: true }, /"use_residual" \(true\) is not supported/],
  ])("a config with %o", async (change, message) => {
    const { config, checkpoint } = await openGolden("autoencoder-tiny/published", "diffusion_pytorch_model.safetensors");
    const weights = Weights.of(gpu.planner(), checkpoint, { name: "vae", dtype: "f32" });
    expect(() => new AutoencoderTiny(weights, { ...config, ...change })).toThrow(message);
  });

  it("a checkpoint that does not fit its config, by every name", async () => {
    const { config, checkpoint } = await openGolden("autoencoder-tiny/published", "diffusion_pytorch_model.safetensors");
    const weights = Weights.of(gpu.planner(), checkpoint, { name: "vae", dtype: "f32" });
    new AutoencoderTiny(weights, { ...config, latent_channels: 8, num_decoder_blocks: [3, 3, 3, 2] });
    expect(() => weights.finish()).toThrow(CheckpointError);
    expect(() => weights.finish()).toThrow(/decoder.layers.0.weight expected \[8, 8, 3, 3\], got \[8, 4, 3, 3\].*missing decoder.layers.19/s);
  });

  it("inputs of another shape", async () => {
    const loaded = await load("published");
    expect(() => run(loaded, "image", (x) => loaded.vae.decode(x))).toThrow("autoencoder: z expected [*, *, *, 4], got [2, 24, 16, 3]");
    expect(() => run(loaded, "latents", (x) => loaded.vae.encode(x))).toThrow("autoencoder: x expected [*, *, *, 3], got [2, 3, 2, 4]");
    loaded.weights.dispose();
  });
});
