// Tensors side by side along an axis.
import { axisOf, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { copyInto } from "./copy.ts";
import { expectRank } from "./strided.ts";

/** The tensors (any views up to rank 6, equal but for this axis) one after the other → one tensor of the first one's dtype. Throws ShapeError. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const [first] = tensors;
  if (!first) throw new ShapeError("concat: no tensors");
  const at = axisOf("concat", axis, first.rank);
  for (const [i, tensor] of tensors.entries()) {
    expectRank(`concat: tensor ${i}`, tensor);
    const fits = tensor.rank === first.rank && tensor.shape.every((n, other) => other === at || n === first.shape[other]);
    if (!fits || tensor.dtype !== first.dtype) {
      const expected = first.shape.map((n, other) => (other === at ? "*" : n)).join(", ");
      throw new ShapeError(`concat: tensor ${i} expected [${expected}] ${first.dtype}, got ${formatShape(tensor.shape)} ${tensor.dtype}`);
    }
  }
  const length = tensors.reduce((sum, tensor) => sum + tensor.shape[at], 0);
  const out = empty(first.gpu, first.shape.with(at, length), first.dtype);
  let start = 0;
  for (const tensor of tensors) {
    using part = out.slice(at, start, (start += tensor.shape[at]));
    copyInto(tensor, part);
  }
  return out;
}
