// The worker's side: pipelines by number, behind calls that take and give plain data.
import { releaseProxy, type ProxyMarked, type Remote } from "comlink";
import type { Task } from "../pipelines/pipeline.ts";
import type { MemoryPlan, ModelInfo, PipelineOptions, Progress, TextToImageOptions, TextToImagePipeline, TextToImageResult, TextToImageStep } from "../pipelines/types.ts";
import type { FirstLook } from "./look.ts";
import { releaseSignal } from "./transfer.ts";

/** A shipped id, an address, or what the user picked. */
export type ModelPlace = string | readonly File[] | FileSystemDirectoryHandle;

/** What of PipelineOptions is plain data; functions and signals travel beside it. */
export type PlainPipelineOptions = Omit<PipelineOptions, "worker" | "device" | "onProgress" | "signal">;

/** Makes a pipeline in this thread. */
export type Load = (task: Task, model: ModelPlace, options: Omit<PipelineOptions, "worker">) => Promise<TextToImagePipeline>;

/** Tells of a model without loading it. */
export type Look = (place: ModelPlace, options: PlainPipelineOptions) => Promise<FirstLook>;

/** Whether this worker can compute: the adapter's name, or why there is none. */
export type Support = { readonly adapter: string } | { readonly error: Error };

type ProgressListener = ((progress: Progress) => void) & ProxyMarked;

export class PipelineService {
  readonly #load: Load;
  readonly #detect: () => Promise<Support>;
  readonly #look: Look;
  readonly #pipelines = new Map<number, TextToImagePipeline>();
  #next = 1;

  constructor(load: Load, detect: () => Promise<Support>, look: Look) {
    this.#load = load;
    this.#detect = detect;
    this.#look = look;
  }

  /** Takes a lock for life, by which the page learns of this worker's end. Resolves once it is held. */
  holdLock(name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      navigator.locks.request(name, () => (resolve(), new Promise<never>(() => {}))).catch(reject);
    });
  }

  /** Resolves with the adapter's name. Throws GpuError where there is none. */
  async support(): Promise<string> {
    const found = await this.#detect();
    if ("error" in found) throw found.error;
    return found.adapter;
  }

  look(place: ModelPlace, options: PlainPipelineOptions): Promise<FirstLook> {
    return this.#look(place, options);
  }

  async load(task: Task, model: ModelPlace, options: PlainPipelineOptions, signal: AbortSignal, onProgress?: Remote<ProgressListener>): Promise<{ id: number; model: ModelInfo }> {
    let delivered: Promise<unknown> = Promise.resolve();
    const report = (progress: Progress) => (delivered = onProgress?.(progress) ?? delivered);
    try {
      const pipeline = await this.#load(task, model, { ...options, signal, onProgress: report });
      await delivered; // or the last report could arrive after the end
      const id = this.#next++;
      this.#pipelines.set(id, pipeline);
      return { id, model: pipeline.model };
    } finally {
      releaseSignal(signal);
      onProgress?.[releaseProxy]();
    }
  }

  plan(id: number, options?: Parameters<TextToImagePipeline["plan"]>[0]): Promise<MemoryPlan> {
    return this.#pipeline(id).plan(options);
  }

  async *generate(id: number, prompt: string, options: TextToImageOptions, signal: AbortSignal): AsyncGenerator<TextToImageStep, TextToImageResult, void> {
    try {
      const generation = this.#pipeline(id)(prompt, { ...options, signal });
      yield* generation;
      return await generation;
    } finally {
      releaseSignal(signal);
    }
  }

  async dispose(id: number): Promise<void> {
    const pipeline = this.#pipelines.get(id);
    this.#pipelines.delete(id);
    await pipeline?.dispose();
  }

  #pipeline(id: number): TextToImagePipeline {
    const pipeline = this.#pipelines.get(id);
    if (pipeline === undefined) throw new Error("this pipeline has been disposed of: load it again");
    return pipeline;
  }
}
