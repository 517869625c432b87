// The memory plan of whole published models, from their headers alone; its table is the README's.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { ByteSource } from "../../src/formats/byte-source.ts";
import type { ModelFolder } from "../../src/hub/folder.ts";
import { planTextToImage } from "../../src/pipelines/text-to-image.ts";
import { headerOnly } from "../architectures/headers.ts";
import { readJson } from "../architectures/golden.ts";

interface Part {
  readonly config: Record<string, unknown>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}
type Model = Readonly<Record<"unet" | "text_encoder" | "vae", Part>>;

const TOKENIZER = fileURLToPath(new URL("../reference/golden/text-to-image/sd1/tokenizer/", import.meta.url));
const MIB = 2 ** 20;

/** A model's folder whose weights end with their headers. Its vocabulary is a small one: only its length counts. */
function folderOf(id: string, model: Model): ModelFolder {
  const consistency = model.unet.config.time_cond_proj_dim != null;
  const json: Record<string, unknown> = {
    "model_index.json": {
      _class_name: consistency ? "LatentConsistencyModelPipeline" : "StableDiffusionPipeline",
      text_encoder: ["transformers", "CLIPTextModel"],
      tokenizer: ["transformers", "CLIPTokenizer"],
      unet: ["diffusers", "UNet2DConditionModel"],
      vae: ["diffusers", "AutoencoderKL"],
      scheduler: ["diffusers", consistency ? "LCMScheduler" : "PNDMScheduler"],
    },
    "scheduler/scheduler_config.json": { _class_name: consistency ? "LCMScheduler" : "PNDMScheduler", skip_prk_steps: true },
    "tokenizer/tokenizer_config.json": { tokenizer_class: "CLIPTokenizer", model_max_length: 77 },
    ...Object.fromEntries(Object.entries(model).map(([part, { config }]) => [`${part}/config.json`, config])),
  };
  const weights: Record<string, ByteSource> = {
    "text_encoder/model.safetensors": headerOnly("text_encoder", model.text_encoder.tensors),
    "unet/diffusion_pytorch_model.safetensors": headerOnly("unet", model.unet.tensors),
    "vae/diffusion_pytorch_model.safetensors": headerOnly("vae", model.vae.tensors),
  };
  const text = async (path: string) => {
    if (path in json) return JSON.stringify(json[path]);
    return path.startsWith("tokenizer/") ? readFile(TOKENIZER + path.slice("tokenizer/".length), "utf8").catch(() => null) : null;
  };
  return {
    id,
    revision: "on paper",
    has: async (path) => path in weights || (await text(path)) !== null,
    text,
    json: async (path) => JSON.parse((await text(path)) ?? "null") as unknown,
    source: async (path) => weights[path],
  };
}

const report: string[] = [];
afterAll(() => console.log(["one picture of 512 × 512, guidance where the model takes it: weights, largest activation, peak (with weights)", ...report].join("\n")));

const published = Object.entries(readJson("published-shapes.json") as Record<string, Model>).filter(([, { unet }]) => unet.config.in_channels === 4);

describe.each(published)("%s", (name, model) => {
  it.each(["f32", "f16"] as const)("states what it needs in %s", async (dtype) => {
    const { weights, largestActivation, peak } = await planTextToImage(folderOf(name, model), { dtype, width: 512, height: 512 });
    report.push(`${name.padEnd(38)}${dtype}  ${[weights, largestActivation, peak].map((bytes) => `${(bytes / MIB).toFixed(0).padStart(5)} MiB`).join("  ")}`);
    expect(weights).toBeGreaterThan((dtype === "f32" ? 3.9e9 : 1.9e9));
    expect(peak).toBeGreaterThan(weights + largestActivation);
    expect(peak).toBeLessThan(weights + 1.3e9);
  });
});
