// Tasks by name, in this thread. src/index.ts puts them behind a worker.
import type { ModelLocation } from "../hub/open.ts";
import type { Pipelines, Task, TaskPipeline, Tasks } from "./tasks.ts";

export type { Task } from "./tasks.ts";

/** What loads each task's pipelines in this thread. */
export type TaskLoaders = { readonly [T in Task]: (model: ModelLocation, options: Tasks[T]["loading"]) => Promise<TaskPipeline<T>> };

/** A task's code comes with its first call. */
export const taskLoaders: TaskLoaders = {
  "text-to-image": async (...call) => (await import("./text-to-image.ts")).loadTextToImage(...call),
  "text-generation": async (...call) => (await import("./text-generation.ts")).loadTextGeneration(...call),
};

/** What a task's pipeline has beside what all have; made of plain calls, so it works on either side of a worker. */
const faces: { readonly [T in Task]: (pipe: TaskPipeline<T>) => Promise<Pipelines[T]> } = {
  "text-to-image": async (pipe) => pipe,
  "text-generation": async (pipe) => Object.assign(pipe, { chat: (await import("./chat.ts")).chatOf(pipe) }),
};

/** A pipeline with all that its task offers. */
export function withFace<T extends Task>(task: T, pipe: TaskPipeline<T>): Promise<Pipelines[T]> {
  return faces[task](pipe);
}

/** A task's loader. Throws RangeError for an unknown task. */
export function loaderOf<T extends Task>(task: T, loaders: Pick<TaskLoaders, T>): TaskLoaders[T] {
  if (Object.hasOwn(loaders, task)) return loaders[task];
  throw new RangeError(`pipeline: task "${String(task)}" is unknown; there is ${Object.keys(loaders).map((name) => `"${name}"`).join(", ")}`);
}

/** Loads a pipeline here, without a worker. Throws RangeError for an unknown task, and what loading throws. */
export async function loadPipeline<T extends Task>(task: T, model: ModelLocation, options: Tasks[T]["loading"] = {}): Promise<Pipelines[T]> {
  const load: (model: ModelLocation, options: Tasks[T]["loading"]) => Promise<TaskPipeline<T>> = loaderOf(task, taskLoaders);
  return withFace(task, await load(model, options));
}
