// What the studio asks of the world below it: whether there is WebGPU, what a model is like, and a pipeline for it.
import type { PipelineOptions, TextToImagePipeline } from "../pipelines/types.ts";
import { lookThrough, shareWorker, workerPipeline } from "../worker/client.ts";
import type { WorkerLink } from "../worker/link.ts";
import type { FirstLook } from "../worker/look.ts";
import type { ModelPlace } from "../worker/service.ts";
import { type ModelChoice, placeOf } from "./model-choice.ts";

export interface Engine {
  /** Resolves with the adapter's name. Throws GpuError where there is none. */
  support(): Promise<string>;
  /** What can be told of a model before it is loaded. */
  look(choice: ModelChoice): Promise<FirstLook>;
  load(place: ModelPlace, options: Omit<PipelineOptions, "worker">): Promise<TextToImagePipeline>;
}

/** `spawn` starts the worker. */
export function workerEngine(spawn: () => Worker): Engine {
  /** One call in the page's worker, which then stays for a while: a picture is likely to be asked for next. */
  async function ask<T>(call: (link: WorkerLink) => Promise<T>): Promise<T> {
    const { link, leave } = shareWorker(spawn);
    try {
      return await call(link);
    } finally {
      setTimeout(leave, keepWarmMs);
    }
  }

  return {
    support: () => ask((link) => link.call((service) => service.support())),
    look(choice) {
      const { place, options } = placeOf(choice);
      return ask((link) => lookThrough(link, place, options));
    },
    load: (place, options) => workerPipeline(spawn, "text-to-image", place, options),
  };
}

const keepWarmMs = 60_000;
