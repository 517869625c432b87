// Layers one after the other, holding no more than one layer's tensors at a time.
import type { Tensor } from "../tensor/tensor.ts";
import { consume } from "./scoped.ts";

/** Maps x to its output; makes what it needs in the open scope. */
export type Layer = (x: Tensor) => Tensor;

/** The last layer's output. Each layer has a scope of its own, and its input is freed after it, except `x`, which stays the caller's. */
export function sequence(x: Tensor, layers: Iterable<Layer>): Tensor {
  let y = x.view();
  for (const layer of layers) y = consume([y], layer);
  return y;
}
