// The page's side: a pipeline whose work is done in a worker, with the interface of one that works here.
import { proxy } from "comlink";
import type { ModelLocation } from "../hub/open.ts";
import { generation } from "../pipelines/generation.ts";
import { withFace } from "../pipelines/pipeline.ts";
import type { Pipelines, Task, TaskPipeline, Tasks } from "../pipelines/tasks.ts";
import { linkWorker, type WorkerLink } from "./link.ts";
import type { FirstLook } from "./look.ts";
import type { ModelPlace, PlainPipelineOptions } from "./service.ts";

/** Loads a pipeline through a link. Throws what loading throws, WorkerError when the worker dies, `signal.reason` when aborted. */
export async function loadThrough<T extends Task>(link: WorkerLink, task: T, model: ModelLocation, options: Tasks[T]["loading"] = {}): Promise<Pipelines[T]> {
  const { onProgress, signal = new AbortController().signal, device, worker: _, ...rest } = options;
  if (device !== undefined) throw new TypeError("device: a GPUDevice cannot go to a worker; pass worker: false to run where the device is");
  signal.throwIfAborted();
  const place = sendable(model);
  const plain = { ...rest, baseUrl: absolute(rest.baseUrl) };
  const listener = onProgress && proxy((progress: Parameters<typeof onProgress>[0]) => onProgress(progress));
  const loaded = await link.call((service) => service.load(task, place, plain, signal, listener));
  return withFace(task, remotePipeline<T>(link, loaded.id, loaded.model));
}

/** What can be told of a model before it is loaded: its card, the size of its download, whether this browser holds it. */
export function lookThrough(link: WorkerLink, model: ModelLocation, options: PlainPipelineOptions = {}): Promise<FirstLook> {
  return link.call((service) => service.look(sendable(model), { ...options, baseUrl: absolute(options.baseUrl) }));
}

/** The location as a worker can be told it. */
function sendable(location: ModelLocation): ModelPlace {
  if (location instanceof URL) return location.href;
  if (typeof location === "object" && "json" in location) throw new TypeError("model: an opened folder cannot go to a worker; pass its address, its files or worker: false");
  return location;
}

/** The address below which models/ lies. A worker may itself be at a blob: address, from which nothing relative can be found. */
function absolute(baseUrl: string | undefined): string | undefined {
  return typeof document === "undefined" ? baseUrl : new URL(baseUrl ?? ".", document.baseURI).href;
}

/** `id` stands for a pipeline of task T, so what comes from there is T's. */
function remotePipeline<T extends Task>(link: WorkerLink, id: number, model: Tasks[T]["model"]): TaskPipeline<T> {
  const generate = (input: Tasks[T]["input"], options: Tasks[T]["options"] = {}) => generation(steps<T>(link, id, input, options));
  return Object.assign(generate, {
    model,
    plan: (size?: Tasks[T]["size"]) => link.call((service) => service.plan(id, size)),
    async dispose() {
      if (link.death === null) await link.call((service) => service.dispose(id));
    },
  });
}

/** Pulls the worker's steps. Leaving it early stops the step under way, too. */
async function* steps<T extends Task>(link: WorkerLink, id: number, input: Tasks[T]["input"], options: Tasks[T]["options"]): AsyncGenerator<Tasks[T]["step"], Tasks[T]["result"], void> {
  const { signal, ...plain } = options;
  signal?.throwIfAborted();
  const left = new AbortController();
  const stop = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
  const remote: AsyncIterator<Tasks[T]["step"], Tasks[T]["result"]> = await link.call((service) => service.generate(id, input, plain, stop));
  try {
    for (;;) {
      const item = await link.call(() => remote.next());
      if (item.done) return item.value;
      yield item.value;
    }
  } finally {
    left.abort(new DOMException("The generation was left before its end", "AbortError"));
    if (link.death === null) await link.call(async () => remote.return?.());
  }
}

// ── the worker that all pipelines of a page share ───────────────────────────────────────────────

interface Shared {
  readonly worker: Worker;
  readonly link: WorkerLink;
  users: number;
}

let shared: Shared | null = null;

/** The page's link to its worker, started by `spawn` if there is none or the last one died. `leave` once; the last one ends the worker. */
export function shareWorker(spawn: () => Worker): { readonly link: WorkerLink; leave(): void } {
  if (shared === null || shared.link.death !== null) {
    const worker = spawn();
    shared = { worker, link: linkWorker(worker), users: 0 };
  }
  const mine = shared;
  mine.users++;
  let left = false;
  return {
    link: mine.link,
    leave() {
      if (left || (left = true, --mine.users > 0)) return;
      mine.link.fail("The worker was ended with its last pipeline");
      mine.worker.terminate();
      if (shared === mine) shared = null;
    },
  };
}

/** A pipeline in the page's shared worker, or in `options.worker`; the shared one ends with its last pipeline. */
export async function workerPipeline<T extends Task>(spawn: () => Worker, task: T, model: ModelLocation, options: Tasks[T]["loading"] = {}): Promise<Pipelines[T]> {
  const { worker, ...rest } = options;
  if (worker instanceof Worker) return loadThrough(linkOf(worker), task, model, rest);
  const { link, leave } = shareWorker(spawn);
  try {
    const pipeline = await loadThrough(link, task, model, rest);
    const { dispose } = pipeline;
    return Object.assign(pipeline, { dispose: () => dispose().finally(leave) });
  } catch (error) {
    leave();
    throw error;
  }
}

const links = new WeakMap<Worker, WorkerLink>();

function linkOf(worker: Worker): WorkerLink {
  const link = links.get(worker) ?? linkWorker(worker);
  links.set(worker, link);
  return link;
}
