// WebGPU for Node: npm webgpu (Dawn) as navigator.gpu and its constants as globals, as browsers have them.
import { create, globals } from "webgpu";

/** Call once, before the first pipeline. */
export function installWebGpu(): void {
  Object.assign(globalThis, globals);
  const gpu = create([]);
  Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
}
