// What loading is like for every pipeline: which numbers to compute with, and several things at once.
import { GpuError } from "../gpu/errors.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { PipelineOptions } from "./types.ts";

/** Waits for all even if one fails, so that nothing goes on behind the caller's back; then throws the first failure. */
export async function whole(work: readonly Promise<unknown>[], onFailure: () => void): Promise<void> {
  for (const part of work) part.catch(onFailure);
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

/** The type of weights and activations. Throws GpuError where the device lacks what was asked for. */
export function chooseDtype(gpu: Gpu, asked: PipelineOptions["dtype"] = "auto"): "f32" | "f16" {
  if (asked === "f16" && !gpu.features.f16) throw new GpuError("unsupported", `dtype f16: ${gpu.adapterName} has no shader-f16`, 'Use dtype "f32" or "auto"');
  if (asked !== "auto") return asked;
  return gpu.features.f16 && !gpu.traits.software ? "f16" : "f32"; // where the CPU plays the GPU, f16 takes twice as long
}
