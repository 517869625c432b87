// The library's face.
import type { ModelLocation } from "./hub/open.ts";
import { loadPipeline } from "./pipelines/pipeline.ts";
import type { Pipelines, Task, Tasks } from "./pipelines/tasks.ts";
import { workerPipeline } from "./worker/client.ts";
import { spawnWorker } from "./worker/spawn.ts";

export { detectGpu } from "./gpu/device.ts";
export { GpuError, type GpuErrorKind } from "./gpu/errors.ts";
export { FormatError } from "./formats/errors.ts";
export { cachedSize, deleteCached, listCached } from "./hub/cache.ts";
export { HubError } from "./hub/errors.ts";
export type { ModelLocation } from "./hub/open.ts";
export { ConfigError } from "./nn/config.ts";
export { CheckpointError } from "./nn/weights.ts";
export { inspectText } from "./provenance/inspect-text.ts";
export type * from "./provenance/inspect-text.ts";
export { GrammarError } from "./sampling/grammar/errors.ts";
export type * from "./pipelines/chat-types.ts";
export type * from "./pipelines/tasks.ts";
export type * from "./pipelines/text-generation-types.ts";
export type * from "./pipelines/types.ts";
export { version } from "./version.ts";

/**
 * Loads a model for a task: `const pipe = await pipeline("text-to-image", "emoji")`, then `await pipe("red apple")`;
 * or `await pipeline("text-generation", folder)`, then `for await (const { text } of pipe("Once upon a time"))`.
 * In a browser the work is done in a worker unless `worker: false` or a `device` of your own is given; in Node, in this thread.
 * Throws GpuError, HubError, FormatError, ConfigError, CheckpointError, or the signal's reason.
 */
export function pipeline<T extends Task>(task: T, model: ModelLocation, options: Tasks[T]["loading"] = {}): Promise<Pipelines[T]> {
  const inPage = typeof document !== "undefined";
  const { worker = inPage && options.device === undefined, ...rest } = options;
  return worker === false ? loadPipeline(task, model, rest) : workerPipeline(spawnWorker, task, model, { ...rest, worker });
}
