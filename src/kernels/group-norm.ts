// Group norm (Wu & He 2018, arXiv 1803.08494) over channels last, with its affine, a modulation (FiLM) and SiLU in one pass over the values.
import source from "/shaders/group-norm.wgsl?raw";
import foldSource from "/shaders/group-norm-fold.wgsl?raw";
import statisticsSource from "/shaders/group-norm-statistics.wgsl?raw";
import activation from "/shaders/include/activation.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import reduce from "/shaders/include/reduce.wgsl?raw";
import { BYTES } from "../tensor/dtype.ts";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { ACTIVATIONS } from "./activation.ts";
import { bandsOf } from "./bands.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";

const statisticsKernel = defineKernel({ name: "group-norm-statistics", source: statisticsSource, includes: [grid], strided: ["x", "anchor"] });
const foldKernel = defineKernel({ name: "group-norm-fold", source: foldSource, includes: [grid, reduce], strided: ["anchor", "scale", "shift"] });
const kernel = defineKernel({ name: "group-norm", source, includes: [grid, activation], strided: ["x", "out"] });

const LANES = 64;
const BLOCK_ROWS = 4; // as in group-norm.wgsl
/** A chunk of rows is one partial statistic: long enough to keep their table small, short enough to fill the GPU. */
const CHUNK = { leastRows: 16, most: 1024 };
const PARTIAL_BYTES = 8; // a mean and a sum of squared deviations

export interface GroupNormOptions {
  /** Divides C. */
  readonly groups: number;
  readonly eps: number;
  /** Applied last. */
  readonly activation?: "none" | "silu";
  /** [N, C], given together with `shift`: the normalised values become ·(1 + scale) + shift. */
  readonly scale?: Tensor;
  readonly shift?: Tensor;
}

/**
 * x [N, ..., C] normalised over each group of C / groups neighbouring channels of a sample, times weight [C] plus bias [C], then
 * ·(1 + scale) + shift, then the activation → x's shape and dtype. Statistics are f32, independent of the size of the mean.
 * Where x passes the device's binding limit, bands of rows share the statistics of all. Throws ShapeError.
 */
export function groupNorm(x: Tensor, weight: Tensor, bias: Tensor, { groups, eps, activation = "none", scale, shift }: GroupNormOptions): Tensor {
  if (x.rank < 2) throw new ShapeError(`groupNorm: x expected [N, ..., C], got ${formatShape(x.shape)}`);
  const samples = x.dim(0);
  const channels = x.dim(-1);
  if (!Number.isInteger(groups) || groups < 1 || channels % groups) throw new ShapeError(`groupNorm: ${groups} groups of ${channels} channels (x is ${formatShape(x.shape)})`);
  expectShape("groupNorm: weight", weight, [channels]);
  expectShape("groupNorm: bias", bias, [channels]);
  if (!scale !== !shift) throw new ShapeError(`groupNorm: ${scale ? "shift" : "scale"} is missing; scale and shift come together`);
  if (scale) expectShape("groupNorm: scale", scale, [samples, channels]);
  if (shift) expectShape("groupNorm: shift", shift, [samples, channels]);
  const out = empty(x.gpu, x.shape, x.dtype);
  if (x.size === 0) return out;

  using scope = x.gpu.scope();
  const input = contiguous(x).reshape([samples, -1, channels]); // [N, R, C]
  const output = out.reshape(input.shape);
  const affine = { groups, eps, activation, weight: contiguous(weight), bias: contiguous(bias) };
  const together = x.bytes <= x.gpu.limits.maxStorageBufferBindingSize ? samples : 1;
  for (let n = 0; n < samples; n += together) {
    const part = (tensor: Tensor) => tensor.slice(0, n, n + together);
    const modulation = scale && shift && { scale: part(withRows(scale)), shift: part(withRows(shift)) };
    normalise(part(input), part(output), { ...affine, modulation });
  }
  return scope.keep(out);
}

interface Normalisation {
  readonly groups: number;
  readonly eps: number;
  readonly activation: "none" | "silu";
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** [samples, C] each, with channels side by side. */
  readonly modulation: { readonly scale: Tensor; readonly shift: Tensor } | undefined;
}

/** Samples [N, R, C] that fit a binding together, or a single one that need not. */
function normalise(x: Tensor, out: Tensor, { groups, eps, activation, weight, bias, modulation }: Normalisation): void {
  const { gpu, shape: [samples, rows, channels] } = x;
  using _temporaries = gpu.scope();
  const fewest = Math.ceil((PARTIAL_BYTES * x.size) / gpu.limits.maxStorageBufferBindingSize);
  const chunkRows = Math.max(CHUNK.leastRows, Math.ceil(rows / CHUNK.most), fewest);
  const chunks = Math.ceil(rows / chunkRows);
  const bands = bandsOf(gpu, "groupNorm", chunks, { rowBytes: [chunkRows * channels * BYTES[x.dtype]], rowFlops: 8 * samples * chunkRows * channels, strided: true })
    .map(({ start, end }) => ({ firstChunk: start, chunks: end - start, start: start * chunkRows, end: Math.min(rows, end * chunkRows) }));

  const sizes = { channels, group_channels: channels / groups, chunk_rows: chunkRows };
  const anchor = x.slice(1, 0, 1); // [N, 1, C]
  const anchor_stride0 = x.strides[0];
  const partial = empty(gpu, [samples, chunks, channels, 2], "f32");
  for (const band of bands) {
    const part = x.slice(1, band.start, band.end);
    const count = samples * band.chunks * channels;
    const params = { ...sizes, count, rows: part.shape[1], chunks: band.chunks, first_chunk: band.firstChunk, all_chunks: chunks, anchor_stride0 };
    statisticsKernel.run({ x: part, anchor, out: partial }, params, [Math.ceil(count / LANES)], { flops: 5 * part.size });
  }

  const folded = empty(gpu, [samples, channels, 4], "f32");
  const { scale = weight, shift = weight } = modulation ?? {};
  const count = samples * groups;
  const modulated = { scale_stride0: scale.strides[0], shift_stride0: shift.strides[0] };
  foldKernel.run({ partial, anchor, weight, bias, scale, shift, out: folded }, { ...sizes, ...modulated, count, groups, rows, chunks, eps, anchor_stride0 }, [count], {
    constants: { MODULATED: modulation ? 1 : 0 },
    flops: 5 * samples * chunks * channels,
  });

  for (const band of bands) {
    const part = x.slice(1, band.start, band.end);
    const blocks = Math.ceil(part.shape[1] / BLOCK_ROWS);
    const count = samples * blocks * channels;
    kernel.run({ x: part, folded, out: out.slice(1, band.start, band.end) }, { count, rows: part.shape[1], channels, blocks }, [Math.ceil(count / LANES)], {
      constants: { ACTIVATION: ACTIVATIONS[activation] },
      flops: (activation === "silu" ? 8 : 4) * part.size,
    });
  }
}

/** The same values with a row's channels side by side, as the fold reads them. */
function withRows(x: Tensor): Tensor {
  return x.strides[1] === 1 || x.shape[1] === 1 ? x.view() : contiguous(x);
}
