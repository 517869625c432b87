// One model at work for one element: loads it when it is first needed, runs one generation at a time, says where it stands.
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { GeneratedImage, ModelInfo, PipelineOptions, Pixels, Progress, TextToImageOptions, TextToImagePipeline, TextToImageResult } from "../pipelines/types.ts";
import { WorkerError } from "../worker/errors.ts";
import type { ModelPlace } from "../worker/service.ts";
import { isAbort, problemOf, type Problem } from "./words.ts";

export interface Generating {
  readonly phase: "generating";
  /** Finished steps; the total is not known before the first. */
  readonly step: number;
  readonly total: number | null;
  readonly secondsLeft: number | null;
  readonly previews: readonly Pixels[];
}

/** The last report of each kind: files arrive, move to the GPU and kernels compile all at once. */
export type LoadProgress = Partial<Record<Progress["status"], Progress>>;

export type Activity =
  | { readonly phase: "idle" }
  | { readonly phase: "loading"; readonly progress: LoadProgress }
  | Generating
  | { readonly phase: "done"; readonly images: readonly GeneratedImage[]; readonly seconds: number; readonly warnings: readonly string[] }
  | { readonly phase: "failed"; readonly problem: Problem };

/** How a session gets its pipeline; the page's runs in a worker. */
export type Loader = (place: ModelPlace, options: Omit<PipelineOptions, "worker">) => Promise<TextToImagePipeline>;

export interface Job {
  readonly place: ModelPlace;
  readonly pipelineOptions: Omit<PipelineOptions, "worker" | "onProgress" | "signal">;
  readonly prompt: string;
  readonly options: TextToImageOptions;
}

export class Session implements ReactiveController {
  activity: Activity = { phase: "idle" };
  /** The loaded model; null before the first load and after one that failed. */
  model: ModelInfo | null = null;
  loader: Loader;
  readonly #host: ReactiveControllerHost;
  #pipe: TextToImagePipeline | null = null;
  #place: ModelPlace | null = null;
  #running: AbortController | null = null;

  constructor(host: ReactiveControllerHost, loader: Loader) {
    this.#host = host;
    this.loader = loader;
    host.addController(this);
  }

  hostDisconnected(): void {
    this.cancel();
    void this.unload();
  }

  get busy(): boolean {
    return this.#running !== null;
  }

  /** Makes pictures, loading the model first where needed. Resolves with null when cancelled or failed; `activity` says which. */
  async run(job: Job): Promise<TextToImageResult | null> {
    return this.#work(async (signal) => {
      const pipe = await this.#load(job, signal);
      let now: Generating = { phase: "generating", step: 0, total: job.options.numInferenceSteps ?? null, secondsLeft: null, previews: [] };
      this.#become(now);
      const generation = pipe(job.prompt, { ...job.options, signal });
      for await (const { step, total, secondsLeft, previews = now.previews } of generation) {
        now = { phase: "generating", step, total, secondsLeft, previews };
        this.#become(now);
      }
      const result = await generation;
      this.#become({ phase: "done", images: result.images, seconds: result.seconds, warnings: result.warnings });
      return result;
    });
  }

  /** Only loads, as a returning visitor's page does quietly. */
  async prepare(job: Pick<Job, "place" | "pipelineOptions">): Promise<void> {
    await this.#work(async (signal) => {
      await this.#load(job, signal);
      this.#become({ phase: "idle" });
      return null;
    });
  }

  cancel(): void {
    this.#running?.abort(new DOMException("Cancelled", "AbortError"));
  }

  /** Ends what runs and frees the model. */
  async unload(): Promise<void> {
    const pipe = this.#pipe;
    this.#forget();
    await pipe?.dispose();
  }

  /** Shows pictures made earlier, or nothing. */
  show(activity: Extract<Activity, { phase: "idle" | "done" }>): void {
    if (!this.busy) this.#become(activity);
  }

  async #work<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
    if (this.#running !== null) return null;
    const running = new AbortController();
    this.#running = running;
    try {
      return await task(running.signal);
    } catch (error) {
      if (error instanceof WorkerError) this.#forget();
      this.#become(isAbort(error) ? { phase: "idle" } : { phase: "failed", problem: problemOf(error) });
      return null;
    } finally {
      this.#running = null;
      this.#host.requestUpdate();
    }
  }

  async #load({ place, pipelineOptions }: Pick<Job, "place" | "pipelineOptions">, signal: AbortSignal): Promise<TextToImagePipeline> {
    if (this.#pipe !== null && this.#place === place) return this.#pipe;
    await this.unload();
    this.#become({ phase: "loading", progress: {} });
    const onProgress = (latest: Progress) => {
      const { activity } = this;
      if (activity.phase === "loading") this.#become({ phase: "loading", progress: { ...activity.progress, [latest.status]: latest } });
    };
    this.#pipe = await this.loader(place, { ...pipelineOptions, signal, onProgress });
    this.#place = place;
    this.model = this.#pipe.model;
    return this.#pipe;
  }

  #forget(): void {
    this.#pipe = null;
    this.#place = null;
    this.model = null;
  }

  #become(activity: Activity): void {
    this.activity = activity;
    this.#host.requestUpdate();
  }
}
