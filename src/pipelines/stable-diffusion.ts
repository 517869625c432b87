// A Stable Diffusion model: the text encoder, UNet and autoencoder of one diffusers folder, on one Gpu. Rombach et al. 2022.
import { AutoencoderKL, autoencoderKLNames } from "../architectures/autoencoder-kl.ts";
import { AutoencoderTiny } from "../architectures/autoencoder-tiny.ts";
import { ClipTextModel, clipTextNames } from "../architectures/clip-text.ts";
import { UNet2DConditionModel } from "../architectures/unet-2d-condition.ts";
import type { Checkpoint } from "../formats/safetensors.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { openCheckpoint } from "../hub/checkpoint.ts";
import type { ModelFolder } from "../hub/folder.ts";
import { concat } from "../kernels/concat.ts";
import { cast } from "../kernels/copy.ts";
import { affine, guide } from "../kernels/elementwise.ts";
import { schedulerStep } from "../kernels/scheduler-step.ts";
import { guidanceScaleEmbedding } from "../kernels/timestep-embedding.ts";
import { ConfigError } from "../nn/config.ts";
import { type LoadOptions, Weights } from "../nn/weights.ts";
import { latentNoise, type NoiseGenerator } from "../random/generator.ts";
import { parseSchedulerConfig } from "../schedulers/config.ts";
import type { Schedule } from "../schedulers/plan.ts";
import { type Tensor, upload } from "../tensor/tensor.ts";

type Json = Readonly<Record<string, unknown>>;

/** A network's config and weights, opened but not read. */
interface Part {
  readonly className: string;
  readonly config: Json;
  readonly checkpoint: Checkpoint;
}

/** A folder whose headers and configs were read. */
export interface StableDiffusionFiles {
  /** `_class_name` of model_index.json. */
  readonly pipelineClass: string;
  readonly textEncoder: Part;
  readonly unet: Part;
  readonly vae: Part;
  readonly scheduler: Json;
}

/** Classes of model_index.json that this pipeline stands for. */
const PIPELINES = ["StableDiffusionPipeline", "LatentConsistencyModelPipeline"];

/** Classes of their parts. */
const CLASSES = { text_encoder: ["CLIPTextModel"], unet: ["UNet2DConditionModel"], vae: ["AutoencoderKL", "AutoencoderTiny"] };

/** What one denoising step takes. */
export interface DenoiseStep {
  readonly schedule: Schedule;
  /** Which step, from 0. */
  readonly index: number;
  /** [N, h, w, C] f32. */
  readonly latents: Tensor;
  /** Text states [N, T, D], or with guidance [2N, T, D], the unconditional ones first. */
  readonly states: Tensor;
  readonly guidanceScale: number;
  /** Tensors that the scheduler keeps between steps, by slot; replaced by this step. */
  readonly memory: (Tensor | null)[];
  /** Fresh standard normals [N, h, w, C] f32, where the step's plan asks for them. */
  readonly noise: Tensor | null;
}

export class StableDiffusion {
  readonly textEncoder: ClipTextModel;
  readonly unet: UNet2DConditionModel;
  readonly vae: AutoencoderKL | AutoencoderTiny;
  /** [height, width] of the pictures it was trained on, raised to multiples of `sizeStep`. */
  readonly pictureSize: readonly [number, number];
  readonly #weights: readonly Weights[];
  readonly #checkpoints: readonly Checkpoint[];

  /** Allocates the networks; on a planning Gpu, counts them. Throws ConfigError, CheckpointError, GpuError. */
  constructor(readonly gpu: Gpu, files: StableDiffusionFiles, readonly dtype: "f32" | "f16") {
    const { textEncoder, unet, vae } = files;
    const tiny = vae.className === "AutoencoderTiny";
    const vaeDtype = vae.config.force_upcast === true ? "f32" : dtype; // some autoencoders' activations pass f16's range
    const weights = {
      textEncoder: Weights.of(gpu, textEncoder.checkpoint, { name: "text_encoder", dtype, ...clipTextNames }),
      unet: Weights.of(gpu, unet.checkpoint, { name: "unet", dtype }),
      vae: Weights.of(gpu, vae.checkpoint, { name: "vae", dtype: vaeDtype, ...(tiny ? {} : autoencoderKLNames) }),
    };
    this.#weights = Object.values(weights);
    this.#checkpoints = [textEncoder.checkpoint, unet.checkpoint, vae.checkpoint];
    try {
      this.textEncoder = new ClipTextModel(weights.textEncoder, textEncoder.config);
      this.unet = new UNet2DConditionModel(weights.unet, unet.config);
      this.vae = tiny ? new AutoencoderTiny(weights.vae, vae.config) : new AutoencoderKL(weights.vae, vae.config);
      for (const part of this.#weights) part.finish();
    } catch (error) {
      this.dispose();
      throw error;
    }
    const [height, width] = (isOutdated(files) ? null : this.unet.config.sampleSize) ?? [64, 64];
    const pixels = (latents: number) => Math.ceil((latents * this.downsampling) / this.sizeStep) * this.sizeStep;
    this.pictureSize = [pixels(height), pixels(width)];
    this.#expectMatchingParts();
  }

  /** Throws ConfigError where one part does not take what another makes. */
  #expectMatchingParts(): void {
    const { inChannels, outChannels, crossAttentionDim } = this.unet.config;
    const { latentChannels, outChannels: colours } = this.vae.config;
    const { hiddenSize } = this.textEncoder.config;
    if (inChannels !== latentChannels) {
      throw new ConfigError(`unet: config key "in_channels" is ${inChannels}, the autoencoder has ${latentChannels} latent channels; text-to-image runs models where they are equal (9 is an inpainting model)`);
    }
    if (outChannels !== inChannels) throw new ConfigError(`unet: config key "out_channels" expected ${inChannels}, as many as in_channels, got ${outChannels}`);
    if (crossAttentionDim !== hiddenSize) throw new ConfigError(`unet: config key "cross_attention_dim" is ${crossAttentionDim}, text_encoder's hidden_size ${hiddenSize}; the two do not belong together`);
    if (colours !== 3) throw new ConfigError(`vae: config key "out_channels" expected 3 (red, green, blue), got ${colours}`);
  }

  /** Throws ConfigError for ids that the text encoder does not know, or more of them than it reads. */
  #expectTokens(ids: Int32Array, length: number): void {
    const { vocabSize, maxPositionEmbeddings } = this.textEncoder.config;
    if (length > maxPositionEmbeddings) throw new ConfigError(`tokenizer: its texts have ${length} tokens (model_max_length), text_encoder reads ${maxPositionEmbeddings}; the two do not belong together`);
    const unknown = ids.find((id) => id >= vocabSize);
    if (unknown !== undefined) throw new ConfigError(`tokenizer: gives the id ${unknown}, text_encoder knows ${vocabSize}; the two do not belong together`);
  }

  /** Pixels per latent, along a side. */
  get downsampling(): number {
    return this.vae.config.downsampling;
  }

  /** A picture's sides are multiples of it. */
  get sizeStep(): number {
    return Math.max(8, this.downsampling);
  }

  /** Latents of pictures of this many pixels, [N, h, w, C]. */
  latentShape(count: number, height: number, width: number): readonly [number, number, number, number] {
    return [count, height / this.downsampling, width / this.downsampling, this.vae.config.latentChannels];
  }

  /** sigma × standard normals as latents [N, h, w, C] f32, drawn in PyTorch's order. The caller disposes them. */
  noise(generator: NoiseGenerator, sigma: number, [n, h, w, c]: readonly [number, number, number, number]): Tensor {
    const values = latentNoise(generator, [n, c, h, w]);
    return upload(this.gpu, Float32Array.from(values, (value) => value * sigma), [n, h, w, c], "f32");
  }

  /** Streams the weights to the GPU. Progress in stored bytes over all parts. */
  async load({ signal, onProgress }: LoadOptions = {}): Promise<void> {
    const total = this.#weights.reduce((sum, part) => sum + part.storedBytes, 0);
    let before = 0;
    for (const part of this.#weights) {
      await part.load({ signal, onProgress: (loaded) => onProgress?.(before + loaded, total) });
      before += part.storedBytes;
    }
    for (const checkpoint of this.#checkpoints) await checkpoint.close(); // gives up read buffers; it can be read again
  }

  /** Frees the weights. */
  dispose(): void {
    for (const part of this.#weights) part.dispose();
  }

  /** Token ids, one row a prompt, all of one length → states [B, T, D]. The caller disposes them. Throws ConfigError. */
  encode(ids: readonly Int32Array[]): Tensor {
    using scope = this.gpu.scope();
    const [length] = ids.map((row) => row.length);
    const flat = new Int32Array(ids.length * length);
    ids.forEach((row, i) => flat.set(row, i * length));
    this.#expectTokens(flat, length);
    const { lastHiddenState } = this.textEncoder.forward(upload(this.gpu, flat, [ids.length, length], "i32"));
    return scope.keep(lastHiddenState);
  }

  /** One step: scale, predict, guide, update. Both passes of the guidance run as one batch. The caller disposes `next` and `denoised` and the memory. */
  denoise({ schedule, index, latents, states, guidanceScale, memory, noise }: DenoiseStep): { next: Tensor; denoised: Tensor } {
    using scope = this.gpu.scope();
    const guided = states.dim(0) === 2 * latents.dim(0);
    const scale = schedule.inputScale(index);
    const scaled = cast(scale === 1 ? latents : affine(latents, scale, 0), this.dtype); // [N, h, w, C]
    const input = guided ? concat([scaled, scaled], 0) : scaled;
    const output = this.unet.forward(input, schedule.timesteps[index], states, { timestepCond: this.#timestepCond(guidanceScale, input.dim(0)) });
    const model = guided ? guide(output, guidanceScale) : output; // [N, h, w, C]

    const plan = schedule.plan(index);
    const past = plan.next.past.map(({ slot }) => memory[slot] as Tensor);
    const { next, denoised } = schedulerStep(plan, { sample: latents, model, noise: noise ?? undefined, past });
    const kept = { sample: latents, model, denoised };
    for (const { slot, tensor } of plan.keep) {
      memory[slot]?.dispose();
      memory[slot] = scope.keep(kept[tensor].view());
    }
    return { next: scope.keep(next), denoised: scope.keep(denoised) };
  }

  /** The guidance scale as latent consistency models are told it; undefined for others. */
  #timestepCond(guidanceScale: number, count: number): Tensor | undefined {
    const { timeCondProjDim } = this.unet.config;
    return timeCondProjDim === null ? undefined : guidanceScaleEmbedding(this.gpu, new Array<number>(count).fill(guidanceScale), timeCondProjDim);
  }

  /** Latents [N, h, w, C] → pictures [N, H, W, 3] in -1 … 1. The caller disposes them. */
  decode(latents: Tensor): Tensor {
    using scope = this.gpu.scope();
    const scaled = affine(latents, 1 / this.vae.config.scalingFactor, 0);
    return scope.keep(this.vae.decode(cast(scaled, this.vae.dtype)));
  }
}

/** Reads the configs and the checkpoints' headers. Throws HubError, FormatError, ConfigError naming the file at fault. */
export async function openStableDiffusion(folder: ModelFolder, { signal }: { signal?: AbortSignal } = {}): Promise<StableDiffusionFiles> {
  const index = record(await folder.json("model_index.json"), `${folder.id}: model_index.json`);
  const pipelineClass = String(index._class_name ?? "no class");
  if (!PIPELINES.includes(pipelineClass)) {
    throw new ConfigError(`${folder.id}: model_index.json names ${pipelineClass}; text-to-image runs ${PIPELINES.join(" and ")}`);
  }
  if (classOf(index, "image_encoder") !== "none") throw new ConfigError(`${folder.id}: an image_encoder (IP-Adapter) is not supported`);
  const part = async (name: keyof typeof CLASSES, stem: string): Promise<Part> => {
    const className = classOf(index, name);
    if (!CLASSES[name].includes(className)) throw new ConfigError(`${folder.id}: model_index.json names ${className} as its ${name}; text-to-image runs ${CLASSES[name].join(" and ")}`);
    const config = record(await folder.json(`${name}/config.json`), `${folder.id}: ${name}/config.json`);
    return { className, config, checkpoint: await openCheckpoint(folder, name, stem, { signal }) };
  };
  const [textEncoder, unet, vae, schedulerConfig] = await Promise.all([
    part("text_encoder", "model"),
    part("unet", "diffusion_pytorch_model"),
    part("vae", "diffusion_pytorch_model"),
    folder.text("scheduler/scheduler_config.json").then((text) => (text === null ? null : parseSchedulerConfig(text))),
  ]);
  const scheduler = record(schedulerConfig, `${folder.id}: scheduler/scheduler_config.json`);
  const named = classOf(index, "scheduler"); // counts for more than the config's own, as in diffusers
  return { pipelineClass, textEncoder, unet, vae, scheduler: named === "none" ? scheduler : { ...scheduler, _class_name: named } };
}

/** Whether the UNet's config is one from before diffusers 0.9 that says less than 64 and means 64, as Stable Diffusion 1's first ones did. */
function isOutdated({ pipelineClass, unet: { config } }: StableDiffusionFiles): boolean {
  const [major, minor] = String(config._diffusers_version).split(".").map(Number);
  return pipelineClass === "StableDiffusionPipeline" && major === 0 && minor < 9 && typeof config.sample_size === "number" && config.sample_size < 64;
}

/** The class that model_index.json names for a part; "none" where it names none. */
function classOf(index: Json, part: string): string {
  const entry = index[part];
  return Array.isArray(entry) && typeof entry[1] === "string" ? entry[1] : "none";
}

function record(value: unknown, what: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw new ConfigError(value === null ? `${what} is missing; the folder is not one that diffusers wrote` : `${what} is no JSON object`);
}
