// A scripted text-to-image pipeline for tests of what lies above pipelines: it draws discs, needs no GPU, and records what is asked of it.
import { generation } from "../src/pipelines/generation.ts";
import type { GeneratedImage, ModelInfo, PipelineOptions, Pixels, Recipe, TextToImageOptions, TextToImagePipeline, TextToImageResult, TextToImageStep } from "../src/pipelines/types.ts";

export const fakeModel: ModelInfo = {
  id: "emoji",
  revision: "1f3a",
  dtype: "f32",
  adapter: "a scripted one",
  defaults: { width: 128, height: 128, numInferenceSteps: 8, guidanceScale: 2, scheduler: "ddim" },
  memory: { weights: 39_000_000, largestActivation: 8_400_000, peak: 62_000_000 },
  card: {
    title: "Emoji",
    licence: "MIT",
    trainingData: "4,707 emoji pictures in three styles: Fluent UI Emoji by Microsoft (MIT)",
    styles: ["3d", "flat", "line art"],
    examples: ["red apple", "красное яблоко", "rocket", "спящая кошка", "birthday cake", "синий кит", "house with garden", "осенний лист"],
  },
};

export interface FakeScript {
  /** Milliseconds a step takes. */
  readonly stepMs?: number;
  /** Milliseconds that loading takes. */
  readonly loadMs?: number;
  /** Thrown by the step of this number. */
  readonly failAt?: { readonly step: number; readonly error: Error };
}

/** What has happened to the fake so far. */
export interface FakeLog {
  loads: number;
  /** Steps computed, over all generations. */
  steps: number;
  /** Generations whose clean-up has run. */
  ended: number;
  disposed: number;
  options: TextToImageOptions[];
}

export function fakeLoader(script: FakeScript = {}): { load: (model: unknown, options: PipelineOptions) => Promise<TextToImagePipeline>; log: FakeLog } {
  const log: FakeLog = { loads: 0, steps: 0, ended: 0, disposed: 0, options: [] };

  async function load(_model: unknown, { onProgress, signal }: PipelineOptions): Promise<TextToImagePipeline> {
    log.loads++;
    const total = 39_000_000;
    for (let part = 0; part <= 20; part++) {
      signal?.throwIfAborted();
      const seconds = (script.loadMs ?? 0) / 1000;
      onProgress?.({ status: "download", name: "unet/diffusion_pytorch_model.safetensors", loaded: (total * part) / 20, total, bytesPerSecond: total / (seconds || 1), secondsLeft: seconds * (1 - part / 20) });
      await wait((script.loadMs ?? 0) / 20, signal);
    }
    onProgress?.({ status: "ready", name: "emoji", loaded: total, total, bytesPerSecond: null, secondsLeft: 0 });
    const call = (prompt: string, options: TextToImageOptions = {}) => generation(steps(prompt, options));
    return Object.assign(call, {
      model: fakeModel,
      plan: async () => fakeModel.memory,
      dispose: async () => void log.disposed++,
    });
  }

  async function* steps(prompt: string, options: TextToImageOptions): AsyncGenerator<TextToImageStep, TextToImageResult, void> {
    log.options.push(options);
    const { signal, seed = 7, numInferenceSteps: total = 8, numImagesPerPrompt: count = 1, width = 128, height = 128, previewEvery = 0 } = options;
    const start = performance.now();
    const draw = (done: number) => Array.from({ length: count }, (_, index) => disc(width, height, Number(BigInt(seed) % 9973n) + index, done));
    try {
      for (let step = 1; step <= total; step++) {
        signal?.throwIfAborted();
        await wait(script.stepMs ?? 0, signal);
        if (script.failAt?.step === step) throw script.failAt.error;
        log.steps++;
        const seconds = (performance.now() - start) / 1000;
        const previews = previewEvery > 0 && step % previewEvery === 0 ? draw(step / total) : undefined;
        yield { step, total, seconds, secondsLeft: (seconds / step) * (total - step), previews };
      }
    } finally {
      log.ended++;
    }
    const images = draw(1).map((pixels, index): GeneratedImage => ({ ...pixels, recipe: recipeOf(prompt, options, index) }));
    return { images, seed: BigInt(seed), seconds: (performance.now() - start) / 1000, warnings: [] };
  }

  return { load, log };
}

/** The recipe of a picture that the fake draws. */
export function recipeOf(prompt: string, options: TextToImageOptions, index = 0): Recipe {
  const { seed = 7, numInferenceSteps = 8, guidanceScale = 2, scheduler = "ddim", numImagesPerPrompt: count = 1, width = 128, height = 128, negativePrompt = "" } = options;
  const { id: model, revision, dtype } = fakeModel;
  return {
    task: "text-to-image", model, revision, prompt, negativePrompt, seed: String(seed), index, count, numInferenceSteps, guidanceScale, scheduler,
    generator: "torch-cpu", width, height, dtype, kiln: "0.1.0",
  };
}

/** A disc on white whose colour depends on the seed; noisy until `done` is 1. */
function disc(width: number, height: number, seed: number, done: number): Pixels {
  const data = new Uint8ClampedArray(width * height * 4);
  const hue = (seed * 137) % 360;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      const distance = Math.hypot(x / width - 0.5, y / height - 0.5);
      const inside = distance < 0.38;
      const shade = 1.15 - distance - 0.5 * (y / height);
      for (let channel = 0; channel < 3; channel++) {
        const wave = 140 + 110 * Math.cos(((hue - channel * 120) * Math.PI) / 180);
        const clean = inside ? wave * shade : 255;
        const noise = 127 + 127 * Math.sin((at + channel) * 12.9898 + seed * 78.233 + done * 3.1);
        data[at + channel] = clean * done + noise * (1 - done);
      }
      data[at + 3] = 255;
    }
  }
  return { width, height, data };
}

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => (clearTimeout(timer), reject(signal?.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", stop), resolve()), ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
