// What the studio asks of the world below it: whether there is WebGPU, what a model is like, and a pipeline for it.
import type { PipelineOptions, TextToImagePipeline } from "../pipelines/types.ts";
import { shareWorker, workerPipeline } from "../worker/client.ts";
import type { ModelPlace } from "../worker/service.ts";
import { lookAt, type FirstLook } from "./first-look.ts";
import type { ModelChoice } from "./model-choice.ts";

export interface Engine {
  /** Resolves with the adapter's name. Throws GpuError where there is none. */
  support(): Promise<string>;
  /** What can be told of a model before it is loaded. */
  look(choice: ModelChoice): Promise<FirstLook>;
  load(place: ModelPlace, options: Omit<PipelineOptions, "worker">): Promise<TextToImagePipeline>;
}

/** `spawn` starts the worker. */
export function workerEngine(spawn: () => Worker): Engine {
  return {
    async support() {
      const { link, leave } = shareWorker(spawn);
      try {
        return await link.call((service) => service.support());
      } finally {
        setTimeout(leave, keepWarmMs);
      }
    },
    look: (choice) => lookAt(choice),
    load: (place, options) => workerPipeline(spawn, "text-to-image", place, options),
  };
}

/** A worker asked for support is likely to be asked for a picture next. */
const keepWarmMs = 60_000;
