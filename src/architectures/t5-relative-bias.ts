// T5's relative position bias: a learned number per head for every bucket of distances between query and key (Raffel et al. 2020, arXiv 1910.10683, section 2.1).
import { cast } from "../kernels/copy.ts";
import { embedding } from "../kernels/embedding.ts";
import { scoped } from "../nn/scoped.ts";
import type { Weight, Weights } from "../nn/weights.ts";
import { type Tensor, upload } from "../tensor/tensor.ts";

export interface BucketOptions {
  /** Keys behind the query have half of the buckets; otherwise they share the bucket of distance 0. */
  readonly bidirectional: boolean;
  readonly buckets: number;
  /** From here on all distances share a bucket. */
  readonly maxDistance: number;
}

/**
 * The bucket of `distance`, a key's place less its query's: half of the buckets hold one distance each, the others reach
 * logarithmically up to maxDistance. In float32, as PyTorch computes it, which decides at the edges.
 */
export function bucketOf(distance: number, { bidirectional, buckets, maxDistance }: BucketOptions): number {
  const own = bidirectional ? Math.floor(buckets / 2) : buckets; // of one direction
  const first = bidirectional && distance > 0 ? own : 0;
  const far = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(own / 2);
  if (far < exact) return first + far;
  const { fround, log } = Math;
  const share = fround(fround(log(fround(far / exact))) / fround(log(maxDistance / exact)));
  return first + Math.min(own - 1, exact + Math.trunc(fround(share * (own - exact))));
}

export class RelativeBias {
  readonly weight: Weight; // [buckets, heads]
  readonly #options: BucketOptions;

  constructor(weights: Weights, heads: number, options: BucketOptions) {
    this.weight = weights.take("weight", [options.buckets, heads], { dtype: "f32" });
    this.#options = options;
  }

  /** What attention adds to its scores, a view [H, queries, keys] f32; the first query stands at place `start` among the keys. */
  forward(queries: number, keys: number, start = 0): Tensor {
    const { gpu } = this.weight;
    const byDistance = Array.from({ length: queries + keys }, (_, i) => bucketOf(i - start - queries, this.#options));
    const ids = Int32Array.from({ length: queries * keys }, (_, i) => byDistance[(i % keys) - Math.floor(i / keys) + queries]);
    return scoped(gpu, () => {
      const values = embedding(upload(gpu, ids, [queries, keys], "i32"), this.weight); // [queries, keys, H]
      return cast(values.permute(0, 2, 1), "f32").permute(1, 0, 2);
    });
  }
}
