// Tasks by name, in this thread. src/index.ts puts them behind a worker.
import type { ModelLocation } from "../hub/open.ts";
import type { PipelineOptions, TextToImagePipeline } from "./types.ts";

export type Task = "text-to-image";

/** Loads a pipeline here, without a worker; its code comes with the first call. Throws RangeError for an unknown task, and what loading throws. */
export async function loadPipeline(task: Task, model: ModelLocation, options: Omit<PipelineOptions, "worker"> = {}): Promise<TextToImagePipeline> {
  if (task !== "text-to-image") throw new RangeError(`pipeline: task "${String(task)}" is unknown; there is "text-to-image"`);
  const { loadTextToImage } = await import("./text-to-image.ts");
  return loadTextToImage(model, options);
}
