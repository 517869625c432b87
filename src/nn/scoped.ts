// A layer as a stretch of memory: what it makes is freed when it ends, except what it returns.
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Runs `layer` in a scope of its own and hands its result to the enclosing one. */
export function scoped(gpu: Gpu, layer: () => Tensor): Tensor {
  using scope = gpu.scope();
  return scope.keep(layer());
}
