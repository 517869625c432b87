// One device for all pipelines of a page. A device that failed is replaced for whoever asks next; nobody left, nothing held.
import { requestGpu, type GpuOptions } from "./device.ts";
import type { Gpu } from "./gpu.ts";

interface Shared {
  readonly gpu: Promise<Gpu>;
  users: number;
}

let current: Shared | null = null;

/** A claim on the shared Gpu. `release` once; the last one gives back the memory kept for reuse. */
export interface GpuLease {
  readonly gpu: Gpu;
  release(): void;
}

/** Joins the shared Gpu, made now if there is none or the last one failed. With `device`, a Gpu of the caller's own. Throws GpuError. */
export async function leaseGpu(options: GpuOptions = {}): Promise<GpuLease> {
  if (options.device) return lease(await requestGpu(options), null);
  const before = current;
  const usable = before && (await before.gpu.catch(() => null))?.error === null;
  if (!usable && current === before) current = null;
  current ??= { gpu: requestGpu(options), users: 0 };
  const shared = current;
  shared.users++;
  try {
    return lease(await shared.gpu, shared);
  } catch (error) {
    if (current === shared) current = null;
    throw error;
  }
}

function lease(gpu: Gpu, shared: Shared | null): GpuLease {
  let released = false;
  return {
    gpu,
    release() {
      if (released) return;
      released = true;
      if (shared && --shared.users > 0) return;
      if (gpu.error === null) gpu.trim();
    },
  };
}
