// Text to image with a Stable Diffusion folder: a prompt in, pictures out, progress on the way.
import { loadTokenizer, type TextTokenizer } from "../formats/tokenizer.ts";
import { DEFAULT_LIMITS, Gpu, type Limits } from "../gpu/gpu.ts";
import { type GpuLease, leaseGpu } from "../gpu/shared.ts";
import type { ModelFolder } from "../hub/folder.ts";
import { type ModelLocation, openModel } from "../hub/open.ts";
import { type LoadProgress, ProgressMeter } from "../hub/progress.ts";
import { contiguous } from "../kernels/copy.ts";
import { toPixels, toUnit } from "../kernels/image.ts";
import { createGenerator } from "../random/generator.ts";
import { createScheduler, schedulerNameOf } from "../schedulers/scheduler.ts";
import type { Schedule } from "../schedulers/plan.ts";
import { empty, read, type Tensor } from "../tensor/tensor.ts";
import { version } from "../version.ts";
import { generation } from "./generation.ts";
import { chooseDtype, whole } from "./loading.ts";
import { readModelCard } from "./model-card.ts";
import { readRequest, type Request } from "./text-to-image-request.ts";
import { openStableDiffusion, StableDiffusion, type StableDiffusionFiles } from "./stable-diffusion.ts";
import type { MemoryPlan, ModelCard, ModelInfo, PipelineOptions, Pixels, Recipe, TextToImageOptions, TextToImagePipeline, TextToImageResult, TextToImageStep } from "./types.ts";

/** For a blueprint: what is built on it is only looked at. */
const BOUNDLESS: Limits = { ...DEFAULT_LIMITS, maxBufferSize: Infinity, maxStorageBufferBindingSize: Infinity };

/** What of a call decides its memory. */
type PlanSize = Pick<TextToImageOptions, "width" | "height" | "numImagesPerPrompt" | "guidanceScale">;

/** Networks on a device, and the claim on that device. */
interface Session {
  readonly lease: GpuLease;
  readonly model: StableDiffusion;
}

/** Loads a text-to-image pipeline in this thread. Throws HubError, FormatError, ConfigError, CheckpointError, GpuError, or the signal's reason. */
export async function loadTextToImage(location: ModelLocation, options: PipelineOptions = {}): Promise<TextToImagePipeline> {
  const { signal, onProgress } = options;
  const pipe = await openTextToImage(location, options);
  await pipe.open(signal);
  onProgress?.({ status: "ready", name: pipe.folder.id, loaded: 0, total: 0, bytesPerSecond: null, secondsLeft: 0 });
  const call = (prompt: string, callOptions: TextToImageOptions = {}) => generation(pipe.generate(prompt, callOptions));
  return Object.assign(call, { model: pipe.info, plan: pipe.plan.bind(pipe), dispose: pipe.dispose.bind(pipe) });
}

/** Memory that a call would need, from configs and headers alone: no GPU is asked. Default f32, at WebGPU's guaranteed limits. Throws as loading does. */
export async function planTextToImage(location: ModelLocation, { dtype = "f32", ...size }: PlanSize & { readonly dtype?: "f32" | "f16" } = {}): Promise<MemoryPlan> {
  const pipe = await openTextToImage(location);
  return pipe.planOn(new Gpu(null, DEFAULT_LIMITS, { f16: dtype === "f16", subgroups: false, timestamps: false }), dtype, size);
}

/** Opens the folder: configs, tokenizer and headers are read and checked against each other. */
async function openTextToImage(location: ModelLocation, options: PipelineOptions = {}): Promise<TextToImage> {
  const { signal, onProgress, baseUrl, hubUrl, revision, cache } = options;
  const report = ({ status, file, ...bytes }: LoadProgress) => {
    if (status === "download") onProgress?.({ status, name: file, ...bytes }); // what is read from disk or cache is counted on its way to the GPU
  };
  const folder = await openModel(location, { baseUrl, hubUrl, revision, cache, signal, onProgress: report });
  const [files, tokenizer, card] = await Promise.all([openStableDiffusion(folder, { signal }), loadTokenizer(folder), readModelCard(folder)]);
  const blueprint = new StableDiffusion(new Gpu(null, BOUNDLESS, { f16: true, subgroups: false, timestamps: false }), files, "f32"); // says what does not fit before a GPU is asked for
  return new TextToImage(folder, files, blueprint, tokenizer, card, options);
}

class TextToImage {
  #session: Promise<Session> | null = null;
  #info: ModelInfo | null = null;
  readonly #end = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(
    readonly folder: ModelFolder,
    readonly files: StableDiffusionFiles,
    readonly blueprint: StableDiffusion,
    readonly tokenizer: TextTokenizer,
    readonly card: ModelCard | null,
    readonly options: PipelineOptions,
  ) {}

  get info(): ModelInfo {
    if (!this.#info) throw new Error("text-to-image: not loaded");
    return this.#info;
  }

  /** The networks on a working device: loaded now, or again where the device has failed since. */
  async open(signal?: AbortSignal): Promise<Session> {
    this.#end.signal.throwIfAborted();
    const before = this.#session;
    const session = await before?.catch(() => null);
    if ((!session || session.model.gpu.error) && this.#session === before) {
      session?.lease.release();
      this.#session = this.#load(signal);
    }
    return this.#session ?? this.open(signal);
  }

  /** Memory that a call of this size needs, from the headers alone. Throws RangeError, GpuError. */
  async plan(size: PlanSize = {}): Promise<MemoryPlan> {
    const { model } = await this.open();
    return this.planOn(model.gpu, model.dtype, size);
  }

  /** The same for a device of these limits. */
  planOn(gpu: Gpu, dtype: "f32" | "f16", size: PlanSize): MemoryPlan {
    return this.#rehearse(gpu, dtype, size).plan;
  }

  async *generate(prompt: string, options: TextToImageOptions): AsyncGenerator<TextToImageStep, TextToImageResult, void> {
    let finished = () => {};
    const running = new Promise<void>((resolve) => (finished = resolve));
    this.#running.add(running);
    try {
      const { model } = await this.open(options.signal);
      const request = this.#request(prompt, options);
      this.planOn(model.gpu, model.dtype, options); // throws before anything is allocated
      return yield* this.#run(model, request);
    } finally {
      this.#running.delete(running);
      finished();
    }
  }

  /** Ends what runs, then frees everything. */
  async dispose(): Promise<void> {
    this.#end.abort(new DOMException("The pipeline was disposed", "AbortError"));
    await Promise.all(this.#running);
    const session = await this.#session?.catch(() => null);
    this.#session = null;
    session?.model.dispose();
    session?.lease.release();
  }

  async #load(signal?: AbortSignal): Promise<Session> {
    const { onProgress } = this.options;
    const lease = await leaseGpu({ device: this.options.device });
    const { gpu } = lease;
    const stop = new AbortController();
    let model: StableDiffusion | null = null;
    try {
      const dtype = chooseDtype(gpu, this.options.dtype);
      const defaults = this.#defaults();
      const { plan, planner } = this.#rehearse(gpu, dtype, {});
      this.#info = { id: this.folder.id, revision: this.folder.revision, dtype, adapter: gpu.adapterName, defaults, memory: plan, card: this.card };
      model = new StableDiffusion(gpu, this.files, dtype);
      const meter = new ProgressMeter("load", ({ file, status: _, ...bytes }) => onProgress?.({ status: "upload", name: file, ...bytes }));
      const compiling = gpu.pipelines.compile(planner.pipelines.wanted, (loaded, total) => {
        onProgress?.({ status: "compile", name: "kernels", loaded, total, bytesPerSecond: null, secondsLeft: null });
      });
      let before = 0;
      const streaming = model.load({
        signal: AbortSignal.any([stop.signal, this.#end.signal, ...(signal ? [signal] : [])]),
        onProgress: (loaded, total) => {
          if (before === 0) meter.expect(this.folder.id, total);
          meter.advance(this.folder.id, loaded - before);
          before = loaded;
        },
      });
      await whole([compiling, streaming], () => stop.abort());
      return { lease, model };
    } catch (error) {
      if (!gpu.error) model?.dispose();
      lease.release();
      throw error;
    }
  }

  #defaults(): ModelInfo["defaults"] {
    const { pipelineClass, scheduler } = this.files;
    const [height, width] = this.blueprint.pictureSize;
    const consistency = pipelineClass === "LatentConsistencyModelPipeline";
    return {
      width,
      height,
      numInferenceSteps: this.card?.numInferenceSteps ?? (consistency ? 4 : 50),
      guidanceScale: this.card?.guidanceScale ?? (consistency ? 8.5 : 7.5),
      scheduler: schedulerNameOf(scheduler),
    };
  }

  #request(prompt: string, options: TextToImageOptions): Request {
    const { sizeStep, unet } = this.blueprint;
    const schedulerClass = this.files.scheduler._class_name;
    return readRequest(prompt, options, this.#defaults(), { pixelStep: sizeStep, guidable: unet.config.timeCondProjDim === null, schedulerClass });
  }

  #schedule({ scheduler, numInferenceSteps }: Request): Schedule {
    const own = schedulerNameOf(this.files.scheduler);
    const name = scheduler === own ? undefined : scheduler;
    return createScheduler(this.files.scheduler, { name, pipelineClass: this.files.pipelineClass }).schedule(numInferenceSteps);
  }

  /** Runs every kernel of a call once on a planner: what it needs and what must be compiled. Throws GpuError for a size that the device does not allow. */
  #rehearse(gpu: Gpu, dtype: "f32" | "f16", size: PlanSize): { plan: MemoryPlan; planner: Gpu } {
    const request = this.#request("", { ...size, scheduler: this.#defaults().scheduler ?? "ddim", numInferenceSteps: 4 }); // as many steps as every scheduler allows
    const planner = gpu.planner();
    const model = new StableDiffusion(planner, this.files, dtype);
    const weights = planner.memoryUse.live;
    const { height, width, count, guided } = request;
    const ids = new Int32Array(this.tokenizer.maxLength);
    const encoded = model.encode(guided ? [ids, ids] : [ids]);
    const states = repeatEach(encoded, count);
    const latents = empty(planner, model.latentShape(count, height, width), "f32");
    const memory: (Tensor | null)[] = [];
    const schedule = this.#schedule(request);
    for (const index of [1, 2]) {
      for (const { slot } of schedule.plan(index).next.past) memory[slot] ??= latents.view();
      const noise = schedule.plan(index).next.noise === undefined ? null : latents;
      const { next, denoised } = model.denoise({ schedule, index, latents, states, guidanceScale: request.guidanceScale, memory, noise });
      next.dispose();
      denoised.dispose();
    }
    const image = model.decode(latents.slice(0, 0, 1));
    toPixels(image).dispose();
    const { peak, largest } = planner.memoryUse;
    return { plan: { weights, largestActivation: largest, peak }, planner };
  }

  async *#run(model: StableDiffusion, request: Request): AsyncGenerator<TextToImageStep, TextToImageResult, void> {
    const { count, height, width, guidanceScale, previewEvery } = request;
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    const warnings: string[] = [];
    const schedule = this.#schedule(request);
    const total = schedule.timesteps.length;
    const generator = createGenerator(request.generator, request.seed);
    const draw = (sigma: number) => model.noise(generator, sigma, model.latentShape(count, height, width));
    const memory: (Tensor | null)[] = [];
    const held: Tensor[] = [];
    let latents: Tensor | null = null;
    try {
      const states = this.#encode(model, request, warnings);
      held.push(states);
      latents = draw(schedule.initNoiseSigma);
      let last: Ticket | null = null;
      for (let index = 0; index < total; index++) {
        this.#check(request);
        const noise = schedule.plan(index).next.noise === undefined ? null : draw(1);
        const { next, denoised } = model.denoise({ schedule, index, latents, states, guidanceScale, memory, noise });
        noise?.dispose();
        latents.dispose();
        latents = next;
        const wanted = previewEvery > 0 && (index + 1) % previewEvery === 0 && index + 1 < total;
        const ticket: Ticket = { step: index + 1, done: model.gpu.done(), previews: wanted ? this.#pictures(model, denoised) : null };
        ticket.done.catch(() => {}); // told when it is its turn
        ticket.previews?.catch(() => {});
        denoised.dispose();
        if (last) yield await settle(last, total, seconds); // so at most two steps are in flight
        last = ticket;
      }
      if (last) yield await settle(last, total, seconds);
      this.#check(request);
      const tensors: Float32Array[] = [];
      const images = await this.#pictures(model, latents, request.returnTensor ? tensors : undefined);
      return {
        images: images.map((image, index) => ({ ...image, recipe: this.#recipe(request, index) })),
        seed: request.seed,
        seconds: seconds(),
        warnings,
        ...(request.returnTensor && { tensor: joined(tensors) }),
      };
    } finally {
      for (const tensor of [...held, ...memory, latents]) tensor?.dispose();
    }
  }

  /** Text states of every picture, the unconditional ones first where guidance needs them. */
  #encode(model: StableDiffusion, { prompt, negativePrompt, guided, count }: Request, warnings: string[]): Tensor {
    const texts = guided ? [negativePrompt, prompt] : [prompt];
    const encodings = texts.map((text) => this.tokenizer.encode(text));
    for (const { truncated } of encodings) if (truncated !== null) warnings.push(`The prompt is longer than the model reads; this was cut: "${truncated}"`);
    if (negativePrompt && !guided) warnings.push("The negative prompt has no effect without guidance");
    const encoded = model.encode(encodings.map(({ ids }) => ids));
    const states = repeatEach(encoded, count);
    encoded.dispose();
    return states;
  }

  /** Decodes latents [N, h, w, C] picture by picture, to hold memory down; the first part of the work is enqueued before this returns. */
  async #pictures(model: StableDiffusion, latents: Tensor, tensors?: Float32Array[]): Promise<Pixels[]> {
    using all = latents.view();
    const pictures: Pixels[] = [];
    for (let n = 0; n < latents.dim(0); n++) {
      const { pixels, unit } = decodeOne(model, all, n, tensors !== undefined);
      const [, height, width] = pixels.shape;
      const [bytes, values] = await Promise.all([read(pixels), unit && read(unit)]).finally(() => {
        pixels.dispose();
        unit?.dispose();
      });
      pictures.push({ width, height, data: new Uint8ClampedArray(bytes.buffer) });
      if (values && tensors) tensors.push(Float32Array.from(values));
    }
    return pictures;
  }

  #recipe(request: Request, index: number): Recipe {
    const { prompt, negativePrompt, numInferenceSteps, guidanceScale, scheduler, generator, width, height, count } = request;
    const { id: model, revision, dtype } = this.info;
    return {
      task: "text-to-image",
      ...{ model, revision, prompt, negativePrompt, seed: String(request.seed), index, count },
      ...{ numInferenceSteps, guidanceScale, scheduler, generator, width, height, dtype, kiln: version },
    };
  }

  #check({ signal }: Request): void {
    signal?.throwIfAborted();
    this.#end.signal.throwIfAborted();
  }
}

/** A step whose work is under way on the GPU. */
interface Ticket {
  readonly step: number;
  readonly done: Promise<void>;
  readonly previews: Promise<Pixels[]> | null;
}

async function settle({ step, done, previews }: Ticket, total: number, seconds: () => number): Promise<TextToImageStep> {
  await done;
  const shown = await previews;
  const elapsed = seconds();
  return { step, total, seconds: elapsed, secondsLeft: (elapsed / step) * (total - step), ...(shown && { previews: shown }) };
}

/** One picture of the batch: its bytes, and where asked for its values in 0 … 1. The caller disposes them. */
function decodeOne(model: StableDiffusion, latents: Tensor, n: number, withValues: boolean): { pixels: Tensor; unit: Tensor | null } {
  using scope = model.gpu.scope();
  const image = model.decode(latents.slice(0, n, n + 1)); // [1, H, W, 3]
  return { pixels: scope.keep(toPixels(image)), unit: withValues ? scope.keep(toUnit(image)) : null };
}

/** [B, ...] → [B·count, ...], each row `count` times in a row. */
function repeatEach(x: Tensor, count: number): Tensor {
  using scope = x.gpu.scope();
  const [batch, ...rest] = x.shape;
  const copies = x.reshape([batch, 1, ...rest]).broadcastTo([batch, count, ...rest]);
  return scope.keep(contiguous(copies).reshape([batch * count, ...rest]));
}

function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
