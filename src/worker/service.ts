// The worker's side: pipelines by number, behind calls that take and give plain data.
import { releaseProxy, type ProxyMarked, type Remote } from "comlink";
import { loaderOf, type TaskLoaders } from "../pipelines/pipeline.ts";
import type { Task, TaskPipeline, Tasks } from "../pipelines/tasks.ts";
import type { MemoryPlan, Progress } from "../pipelines/types.ts";
import type { FirstLook } from "./look.ts";
import { releaseSignal } from "./transfer.ts";

/** A shipped id, an address, or what the user picked. */
export type ModelPlace = string | readonly File[] | FileSystemDirectoryHandle;

/** What of a task's loading options is plain data; functions and signals travel beside it. */
export type PlainPipelineOptions<T extends Task = "text-to-image"> = Omit<Tasks[T]["loading"], "worker" | "device" | "onProgress" | "signal">;

/** A step or a result of any task. */
type AnyStep = Tasks[Task]["step"];
type AnyResult = Tasks[Task]["result"];

/** Tells of a model without loading it. */
export type Look = (place: ModelPlace, options: PlainPipelineOptions) => Promise<FirstLook>;

/** Whether this worker can compute: the adapter's name, or why there is none. */
export type Support = { readonly adapter: string } | { readonly error: Error };

type ProgressListener = ((progress: Progress) => void) & ProxyMarked;

export class PipelineService {
  readonly #loaders: TaskLoaders;
  readonly #detect: () => Promise<Support>;
  readonly #look: Look;
  readonly #pipelines = new Map<number, TaskPipeline<Task>>();
  #next = 1;

  constructor(loaders: TaskLoaders, detect: () => Promise<Support>, look: Look) {
    this.#loaders = loaders;
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

  async load(task: Task, model: ModelPlace, options: PlainPipelineOptions<Task>, signal: AbortSignal, onProgress?: Remote<ProgressListener>): Promise<{ id: number; model: Tasks[Task]["model"] }> {
    let delivered: Promise<unknown> = Promise.resolve();
    const report = (progress: Progress) => (delivered = onProgress?.(progress) ?? delivered);
    try {
      const pipeline = await this.#open(task, model, { ...options, signal, onProgress: report });
      await delivered; // or the last report could arrive after the end
      const id = this.#next++;
      this.#pipelines.set(id, pipeline);
      return { id, model: pipeline.model };
    } finally {
      releaseSignal(signal);
      onProgress?.[releaseProxy]();
    }
  }

  plan(id: number, size?: Tasks[Task]["size"]): Promise<MemoryPlan> {
    return this.#pipeline(id).plan(size);
  }

  async *generate(id: number, input: Tasks[Task]["input"], options: Tasks[Task]["options"], signal: AbortSignal): AsyncGenerator<AnyStep, AnyResult, void> {
    try {
      const generation = this.#pipeline(id)(input, { ...options, signal });
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

  #open<T extends Task>(task: T, model: ModelPlace, options: Tasks[T]["loading"]): Promise<TaskPipeline<T>> {
    const load: (model: ModelPlace, options: Tasks[T]["loading"]) => Promise<TaskPipeline<T>> = loaderOf(task, this.#loaders);
    return load(model, options);
  }

  #pipeline(id: number): TaskPipeline<Task> {
    const pipeline = this.#pipelines.get(id);
    if (pipeline === undefined) throw new Error("this pipeline has been disposed of: load it again");
    return pipeline;
  }
}
