// Attention as decoders of text ask for it, mostly of one query: a workgroup each, or several that share the keys (Dao et al. 2023, "Flash-Decoding").
import fewSource from "/shaders/attention-few.wgsl?raw";
import joinSource from "/shaders/attention-join.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import multiplyQuads from "/shaders/include/multiply-quads.wgsl?raw";
import stableTanh from "/shaders/include/tanh.wgsl?raw";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { attentionBy, type AttentionOptions, type AttentionShape, type AttentionVariant, attentionVariant, attentionViews } from "./attention.ts";
import { defineKernel } from "./kernel.ts";

const fewKernel = defineKernel({ name: "attention-few", source: fewSource, includes: [multiplyQuads, stableTanh], strided: attentionViews });
const joinKernel = defineKernel({ name: "attention-join", source: joinSource, includes: [grid], strided: ["out"] });

/** Up to so many queries, a workgroup each is better than an invocation each. */
const FEW = 8;

/** Workgroups that keep a large GPU busy, and the fewest keys that make one worth its start. */
const BUSY = { workgroups: 256, keys: 128 };

/** As `attention`, and faster where queries are few. */
export function decoderAttention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  return attentionBy(variantFor, q, k, v, options);
}

function variantFor(gpu: Gpu, shape: AttentionShape): AttentionVariant {
  if (gpu.traits.software || shape.queries > FEW) return attentionVariant(gpu, shape);
  const splits = splitsOf(shape);
  return { kernel: fewKernel, defines: { D: shape.size }, constants: { SPLIT: Number(splits > 1) }, queriesAtOnce: 1, splits, join };
}

/** Workgroups that share the keys of one query of one head. */
function splitsOf({ rows, keys }: AttentionShape): number {
  return Math.max(1, Math.min(Math.ceil(BUSY.workgroups / rows), Math.ceil(keys / BUSY.keys)));
}

/** Parts [B, N, H, splits, D + 4] → out [B, N, H, D]. */
function join(parts: Tensor, out: Tensor): void {
  const count = out.size / 4;
  joinKernel.run({ parts, out }, { splits: parts.dim(3), count, quads: out.dim(3) / 4 }, [Math.ceil(count / 64)]);
}
