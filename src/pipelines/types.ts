// What pipelines take and give: plain data that crosses a worker's boundary unchanged.
import type { GeneratorKind } from "../random/generator.ts";
import type { SchedulerName } from "../schedulers/scheduler.ts";
import type { DType } from "../tensor/dtype.ts";

/** Where loading or generating stands. Bytes and seconds are numbers, not text; unknown ones are null. */
export interface Progress {
  /** `download`: bytes from the network or cache; `upload`: bytes to the GPU; `compile`: kernels; `ready`: done. */
  readonly status: "download" | "upload" | "compile" | "ready";
  /** The file or kernel set at hand. */
  readonly name: string;
  /** Bytes (kernels, for `compile`) so far and in all. */
  readonly loaded: number;
  readonly total: number | null;
  readonly bytesPerSecond: number | null;
  readonly secondsLeft: number | null;
}

/** Bytes on the GPU that a pipeline needs, known from the checkpoints' headers alone. */
export interface MemoryPlan {
  readonly weights: number;
  /** Keys and values of the context, where there is one. */
  readonly cache?: number;
  /** The largest single activation. */
  readonly largestActivation: number;
  /** All of it together, at most. */
  readonly peak: number;
}

export interface TextToImageOptions {
  readonly negativePrompt?: string;
  /** 0 … 2⁶⁴−1; a random one if left out, told in the result. */
  readonly seed?: number | bigint;
  readonly numInferenceSteps?: number;
  /** Classifier-free guidance (Ho & Salimans 2022); 1 switches it off. */
  readonly guidanceScale?: number;
  /** Pixels, multiples of 8. */
  readonly width?: number;
  readonly height?: number;
  readonly numImagesPerPrompt?: number;
  /** Default: the one that the checkpoint names. */
  readonly scheduler?: SchedulerName;
  /** Whose random numbers a seed stands for. Default "torch-cpu". */
  readonly generator?: GeneratorKind;
  /** Give a preview with every n-th step; 0 for none (the default for `await`). */
  readonly previewEvery?: number;
  /** Also give the pictures as numbers, before they are rounded to bytes. */
  readonly returnTensor?: boolean;
  readonly signal?: AbortSignal;
}

/** A picture as bytes: RGBA, row by row from the top. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

/** A finished denoising step. */
export interface TextToImageStep {
  /** 1 … total. */
  readonly step: number;
  readonly total: number;
  readonly seconds: number;
  readonly secondsLeft: number;
  /** The pictures as the model sees them now, where asked for. */
  readonly previews?: readonly Pixels[];
}

/** All that is needed to make a picture again; it travels inside the PNG. */
export interface Recipe {
  readonly task: "text-to-image";
  readonly model: string;
  readonly revision: string;
  readonly prompt: string;
  readonly negativePrompt: string;
  /** Decimal, since JSON has no 64-bit integers. */
  readonly seed: string;
  /** Which picture of the batch this is, and how many there were. */
  readonly index: number;
  readonly count: number;
  readonly numInferenceSteps: number;
  readonly guidanceScale: number;
  readonly scheduler: string;
  readonly generator: GeneratorKind;
  readonly width: number;
  readonly height: number;
  readonly dtype: DType;
  readonly kiln: string;
}

export interface GeneratedImage extends Pixels {
  readonly recipe: Recipe;
}

export interface TextToImageResult {
  readonly images: readonly GeneratedImage[];
  readonly seed: bigint;
  readonly seconds: number;
  /** In words: what of the prompt was cut, what was adjusted. */
  readonly warnings: readonly string[];
  /** [N, H, W, 3] in 0 … 1 before rounding, where `returnTensor` asked for it. */
  readonly tensor?: Float32Array<ArrayBuffer>;
}

/** A generation under way: iterate for its steps, await for its result. Leaving the loop early stops the work. */
export interface Generation<Step, Result> extends AsyncIterable<Step>, PromiseLike<Result> {}

export interface PipelineOptions {
  /** Where models/<id>/ lies; default: beside the page. */
  readonly baseUrl?: string;
  /** The hub that "owner/name" stands for, as in "https://huggingface.co"; without it no other site is asked. */
  readonly hubUrl?: string;
  /** The branch, tag or commit on the hub; default "main". */
  readonly revision?: string;
  /** f16 halves memory and is the default on graphics cards that have it; f32 is exact. */
  readonly dtype?: "auto" | "f32" | "f16";
  /** Run in a worker of our own (default in browsers), here, or in a worker of yours. */
  readonly worker?: boolean | Worker;
  /** A device of your own to run on; only without a worker. */
  readonly device?: GPUDevice;
  /** Keep downloaded weights in IndexedDB; default true. */
  readonly cache?: boolean;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** What a loaded text-to-image pipeline can tell and do. */
export interface TextToImagePipeline {
  (prompt: string, options?: TextToImageOptions): Generation<TextToImageStep, TextToImageResult>;
  readonly model: ModelInfo;
  /** What a picture of this size would need. */
  plan(options?: Pick<TextToImageOptions, "width" | "height" | "numImagesPerPrompt" | "guidanceScale">): Promise<MemoryPlan>;
  /** Frees all that it holds. */
  dispose(): Promise<void>;
}

export interface ModelDefaults {
  readonly width: number;
  readonly height: number;
  readonly numInferenceSteps: number;
  readonly guidanceScale: number;
  /** Null where the checkpoint names one that is not supported: calls have to choose another. */
  readonly scheduler: SchedulerName | null;
}

/** What a page shows of a model. */
export interface ModelInfo {
  readonly id: string;
  readonly revision: string;
  readonly dtype: DType;
  readonly adapter: string;
  /** The checkpoint's own defaults. */
  readonly defaults: ModelDefaults;
  readonly memory: MemoryPlan;
  /** What the model's author says of it in kiln.json; null for folders without one. */
  readonly card: ModelCard | null;
}

/** kiln.json: what a folder of diffusers does not hold. */
export interface ModelCard {
  readonly title: string;
  readonly licence: string;
  readonly trainingData: string;
  /** Words that choose a style when they follow the prompt. */
  readonly styles: readonly string[];
  readonly examples: readonly string[];
  readonly numInferenceSteps?: number;
  readonly guidanceScale?: number;
}
