// Full size on paper: published checkpoints by their headers alone, on a Gpu that only counts. See tests/reference/published_shapes.py.
import { afterAll, describe, expect, it } from "vitest";
import { AutoencoderKL, autoencoderKLNames } from "../../src/architectures/autoencoder-kl.ts";
import { ClipTextModel, clipTextNames } from "../../src/architectures/clip-text.ts";
import { UNet2DConditionModel } from "../../src/architectures/unet-2d-condition.ts";
import { Checkpoint } from "../../src/formats/safetensors.ts";
import { DEFAULT_LIMITS, Gpu } from "../../src/gpu/gpu.ts";
import { Weights } from "../../src/nn/weights.ts";
import { empty } from "../../src/tensor/tensor.ts";
import { readJson } from "./golden.ts";
import { headerOnly } from "./headers.ts";

interface Part {
  readonly config: Record<string, unknown>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}
type Model = Readonly<Record<"unet" | "text_encoder" | "vae", Part>>;

const MODELS = Object.entries(readJson("published-shapes.json") as Record<string, Model>);
const MIB = 2 ** 20;

/** Desktop GPUs, where buffers may be large; what one binds at once is as small as WebGPU guarantees. */
function planner(): Gpu {
  return new Gpu(null, { ...DEFAULT_LIMITS, maxBufferSize: 2 ** 31 }, { f16: true, subgroups: false, timestamps: false });
}

const report: string[] = [];

function row(model: string, part: string, dtype: string, weights: number, gpu: Gpu): void {
  const cells = [weights, gpu.memoryUse.largest, gpu.memoryUse.peak].map((bytes) => `${(bytes / MIB).toFixed(0).padStart(5)} MiB`);
  report.push(`${model.padEnd(38)}${part.padEnd(14)}${dtype}  ${cells.join("  ")}  ${(gpu.work.flops / 1e9).toFixed(0).padStart(5)} GFLOP`);
}

afterAll(() => console.log(["512 × 512, both passes of the guidance at once, one picture decoded: weights, largest activation, peak (with weights)", ...report].join("\n")));

describe.each(MODELS)("%s", (model, parts) => {
  it.each(["f32", "f16"] as const)("has the tensors that our text encoder takes, and fits in memory (%s)", async (dtype) => {
    const gpu = planner();
    const { config, tensors } = parts.text_encoder;
    const weights = Weights.of(gpu, await Checkpoint.open(headerOnly(model, tensors)), { name: "text_encoder", dtype, ...clipTextNames });
    const encoder = new ClipTextModel(weights, config);
    weights.finish();
    const bytes = gpu.memoryUse.live;
    const scope = gpu.scope();
    const { lastHiddenState } = encoder.forward(empty(gpu, [2, 77], "i32"));
    expect(lastHiddenState.shape).toEqual([2, 77, config.hidden_size]);
    scope[Symbol.dispose]();
    row(model, "text encoder", dtype, bytes, gpu);
    expect(gpu.memoryUse.peak - bytes).toBeLessThan(48 * MIB);
  });

  it.each(["f32", "f16"] as const)("has the tensors that our UNet takes, and fits in memory (%s)", async (dtype) => {
    const gpu = planner();
    const { config, tensors } = parts.unet;
    const weights = Weights.of(gpu, await Checkpoint.open(headerOnly(model, tensors)), { name: "unet", dtype });
    const unet = new UNet2DConditionModel(weights, config);
    weights.finish();
    const bytes = gpu.memoryUse.live;
    const scope = gpu.scope();
    const { inChannels, crossAttentionDim, timeCondProjDim } = unet.config;
    const timestepCond = timeCondProjDim === null ? undefined : empty(gpu, [2, timeCondProjDim], dtype);
    const out = unet.forward(empty(gpu, [2, 64, 64, inChannels], dtype), 999, empty(gpu, [2, 77, crossAttentionDim], dtype), { timestepCond });
    expect(out.shape).toEqual([2, 64, 64, 4]);
    scope[Symbol.dispose]();
    expect(gpu.memoryUse.live).toBe(bytes);
    row(model, "UNet", dtype, bytes, gpu);
    expect(gpu.work.flops).toBeGreaterThan(1.3e12);
    expect(gpu.memoryUse.peak - bytes).toBeLessThan((dtype === "f32" ? 256 : 128) * MIB);
  });

  it.each(["f32", "f16"] as const)("has the tensors that our autoencoder takes, and fits in memory (%s)", async (dtype) => {
    const gpu = planner();
    const { config, tensors } = parts.vae;
    const weights = Weights.of(gpu, await Checkpoint.open(headerOnly(model, tensors)), { name: "vae", dtype, ...autoencoderKLNames });
    const autoencoder = new AutoencoderKL(weights, config);
    weights.finish();
    const bytes = gpu.memoryUse.live;
    const scope = gpu.scope();
    expect(autoencoder.decode(empty(gpu, [1, 64, 64, 4], dtype)).shape).toEqual([1, 512, 512, 3]);
    scope[Symbol.dispose]();
    expect(gpu.memoryUse.live).toBe(bytes);
    row(model, "decoder", dtype, bytes, gpu);
    expect(gpu.memoryUse.peak - bytes).toBeLessThan((dtype === "f32" ? 1152 : 576) * MIB);
  });
});
