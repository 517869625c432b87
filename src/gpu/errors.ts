// One typed error for everything that goes wrong between us and the GPU: what happened, and the way out.

/** Why the GPU failed: no WebGPU at all, a feature or limit it lacks, a lost device, no memory left, or a bug of ours. */
export type GpuErrorKind = "no-webgpu" | "unsupported" | "lost" | "out-of-memory" | "internal";

const WAY_OUT: Record<GpuErrorKind, string> = {
  "no-webgpu": "Use a browser with WebGPU (Chrome or Edge 113+, Firefox 141+, Safari 26+) on a secure page (https or localhost)",
  unsupported: "Choose smaller settings or another adapter",
  lost: "Run it again: a new device is made",
  "out-of-memory": "Close other tabs that use the GPU, choose a smaller picture or a smaller model, then run it again",
  internal: "Run it again; if it happens twice, report it with this message",
};

/** An error of the GPU. `cause` says what happened, `wayOut` what the user can do; `message` holds both. */
export class GpuError extends Error {
  override readonly name = "GpuError";
  readonly wayOut: string;

  constructor(readonly kind: GpuErrorKind, what: string, wayOut = WAY_OUT[kind]) {
    super(`${what}. ${wayOut}.`);
    this.wayOut = wayOut;
  }
}

/** What WebGPU reports outside of any call (out of memory, validation) as our error. */
export function fromUncaptured(error: GPUError): GpuError {
  const outOfMemory = error.constructor.name === "GPUOutOfMemoryError";
  return new GpuError(outOfMemory ? "out-of-memory" : "internal", `GPU ${outOfMemory ? "memory is used up" : "error"}: ${error.message.trim().split("\n")[0]}`);
}
