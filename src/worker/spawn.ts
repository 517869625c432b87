// Starts the worker from a file of its own, beside the page's or the library's; the embeddable element inlines it instead.

export function spawnWorker(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "kiln" });
}
