// The page's side of one worker: its calls, and what becomes of them when it dies.
import { wrap, type Endpoint, type Remote } from "comlink";
import { WorkerError } from "./errors.ts";
import type { PipelineService } from "./service.ts";
import { installTransferHandlers } from "./transfer.ts";

/** Calls to a worker's service, all of which reject with one WorkerError when the worker is gone. */
export class WorkerLink {
  readonly service: Remote<PipelineService>;
  readonly #pending = new Set<(reason: WorkerError) => void>();
  #death: WorkerError | null = null;

  constructor(endpoint: Endpoint) {
    installTransferHandlers();
    this.service = wrap<PipelineService>(endpoint);
  }

  get death(): WorkerError | null {
    return this.#death;
  }

  /** The call's own outcome, or a WorkerError as soon as the worker is gone. */
  async call<T>(run: (service: Remote<PipelineService>) => PromiseLike<T>): Promise<T> {
    if (this.#death !== null) throw this.#death;
    let abandon: (reason: WorkerError) => void = () => {};
    const death = new Promise<never>((_, reject) => (abandon = reject));
    this.#pending.add(abandon);
    try {
      return await Promise.race([run(this.service), death]);
    } finally {
      this.#pending.delete(abandon);
    }
  }

  /** Declares the worker gone; `what` says how. The first cause stays. */
  fail(what: string): void {
    if (this.#death !== null) return;
    this.#death = new WorkerError(what);
    for (const abandon of this.#pending) abandon(this.#death);
    this.#pending.clear();
  }
}

/** Links a Worker and watches over it: a script that does not load, an uncaught error, its end. */
export function linkWorker(worker: Worker): WorkerLink {
  const link = new WorkerLink(worker);
  worker.addEventListener("error", (event) => {
    link.fail(`The worker stopped (${event.message || "its script did not load"})`);
    worker.terminate();
  });
  worker.addEventListener("messageerror", () => link.fail("The worker sent what this page cannot read"));
  watchLock(link).catch(() => {}); // without locks, only errors tell of a death
  return link;
}

/**
 * A terminated worker fires no event, but the browser takes back its locks: the worker holds one for life, and whoever
 * gets it after the worker knows that it is gone.
 */
async function watchLock(link: WorkerLink): Promise<void> {
  if (typeof navigator === "undefined" || navigator.locks === undefined) return;
  const name = `kiln-worker-${crypto.randomUUID()}`;
  await link.call((service) => service.holdLock(name));
  await navigator.locks.request(name, () => link.fail("The worker was ended"));
}
