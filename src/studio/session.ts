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

/** A model that is loaded, or will be. */
interface Loaded {
  readonly place: ModelPlace;
  readonly pipe: Promise<TextToImagePipeline>;
  /** Ends the loading; nothing afterwards. */
  readonly abort: (reason: unknown) => void;
}

export class Session implements ReactiveController {
  activity: Activity = { phase: "idle" };
  /** The loaded model; null before the first load and after one that failed. */
  model: ModelInfo | null = null;
  loader: Loader;
  readonly #host: ReactiveControllerHost;
  #loaded: Loaded | null = null;
  #progress: LoadProgress = {};
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
    if (this.#running !== null) return null;
    const running = new AbortController();
    this.#running = running;
    try {
      const pipe = await this.#opened(job, running.signal);
      return await this.#generate(pipe, job, running.signal);
    } catch (error) {
      if (error instanceof WorkerError) this.#forget();
      this.#become(isAbort(error) ? { phase: "idle" } : { phase: "failed", problem: problemOf(error) });
      return null;
    } finally {
      this.#running = null;
      this.#host.requestUpdate();
    }
  }

  /** Loads the model quietly, as a returning visitor's page does. Should that fail, a run will say so. */
  async prepare(job: Pick<Job, "place" | "pipelineOptions">): Promise<void> {
    await this.#open(job).pipe.catch(() => null);
  }

  cancel(): void {
    this.#running?.abort(new DOMException("Cancelled", "AbortError"));
  }

  /** Ends what runs and frees the model. */
  async unload(): Promise<void> {
    this.cancel();
    const loaded = this.#loaded;
    this.#forget();
    await free(loaded);
  }

  /** Clears the stage of pictures. */
  clear(): void {
    if (!this.busy) this.#become({ phase: "idle" });
  }

  async #opened(job: Job, signal: AbortSignal): Promise<TextToImagePipeline> {
    const { pipe, abort } = this.#open(job);
    const stop = () => abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    if (this.model === null) this.#become({ phase: "loading", progress: this.#progress });
    const opened = await pipe;
    signal.throwIfAborted();
    return opened;
  }

  async #generate(pipe: TextToImagePipeline, { prompt, options }: Job, signal: AbortSignal): Promise<TextToImageResult> {
    let now: Generating = { phase: "generating", step: 0, total: options.numInferenceSteps ?? null, secondsLeft: null, previews: [] };
    this.#become(now);
    const generation = pipe(prompt, { ...options, signal });
    for await (const { step, total, secondsLeft, previews = now.previews } of generation) {
      now = { phase: "generating", step, total, secondsLeft, previews };
      this.#become(now);
    }
    const result = await generation;
    this.#become({ phase: "done", images: result.images, seconds: result.seconds, warnings: result.warnings });
    return result;
  }

  /** The model at this place: the one at hand, or a new one in its stead. */
  #open({ place, pipelineOptions }: Pick<Job, "place" | "pipelineOptions">): Loaded {
    if (this.#loaded?.place === place) return this.#loaded;
    const before = this.#loaded;
    this.#forget();
    let loading: AbortController | null = new AbortController();
    const { signal } = loading;
    const onProgress = (progress: Progress) => loading !== null && this.#report(progress);
    const pipe = free(before).then(() => this.loader(place, { ...pipelineOptions, signal, onProgress }));
    const loaded: Loaded = { place, pipe, abort: (reason) => loading?.abort(reason) };
    this.#loaded = loaded;
    pipe.then(
      ({ model }) => {
        if (this.#loaded === loaded) this.model = model;
        this.#host.requestUpdate();
      },
      () => {
        if (this.#loaded === loaded) this.#forget();
      },
    ).finally(() => (loading = null));
    return loaded;
  }

  #report(progress: Progress): void {
    this.#progress = { ...this.#progress, [progress.status]: progress };
    if (this.activity.phase === "loading") this.#become({ phase: "loading", progress: this.#progress });
  }

  #forget(): void {
    this.#loaded = null;
    this.#progress = {};
    this.model = null;
  }

  #become(activity: Activity): void {
    this.activity = activity;
    this.#host.requestUpdate();
  }
}

async function free(loaded: Loaded | null): Promise<void> {
  loaded?.abort(new DOMException("Another model was chosen", "AbortError"));
  const pipe = await loaded?.pipe.catch(() => null);
  await pipe?.dispose();
}
