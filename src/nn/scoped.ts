// A layer as a stretch of memory: what it makes is freed when it ends, except what it returns.
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Runs `layer` in a scope of its own and hands its result to the enclosing one. */
export function scoped(gpu: Gpu, layer: () => Tensor): Tensor {
  using scope = gpu.scope();
  return scope.keep(layer());
}

/** `layer(...inputs)` in a scope of its own; the inputs, which nobody needs afterwards, are freed. */
export function consume<Inputs extends readonly [Tensor, ...Tensor[]]>(inputs: Inputs, layer: (...inputs: NoInfer<Inputs>) => Tensor): Tensor {
  const out = scoped(inputs[0].gpu, () => layer(...inputs));
  for (const input of inputs) input.dispose();
  return out;
}

/** What `make` makes, kept out of the open scope: for what outlives a generation's steps, such as a cache. Its owner disposes it. */
export function outliving(make: () => Tensor): Tensor {
  const tensor = make();
  tensor.gpu.openScope?.remove(tensor);
  return tensor;
}
