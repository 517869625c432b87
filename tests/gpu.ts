// The GPU of the tests: npm webgpu (Dawn) on whatever Vulkan driver is there, Mesa's lavapipe as a rule.
import { create, globals } from "webgpu";
import { requestGpu, type GpuOptions } from "../src/gpu/device.ts";
import type { Gpu } from "../src/gpu/gpu.ts";

Object.assign(globalThis, globals);
const api = create([]); // kept alive: Dawn dies with it

/** A new Gpu. */
export function testGpu(options: Omit<GpuOptions, "gpu"> = {}): Promise<Gpu> {
  return requestGpu({ gpu: api, ...options });
}
