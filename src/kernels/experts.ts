// Mixtures of experts (Shazeer et al. 2017, arXiv 1701.06538): tokens are sent to a few of many networks. Who goes where is decided and kept on the GPU.
import groupSource from "/shaders/experts-group.wgsl?raw";
import routeSource from "/shaders/experts-route.wgsl?raw";
import sumSource from "/shaders/experts-sum.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import multiplyQuads from "/shaders/include/multiply-quads.wgsl?raw";
import quantized from "/shaders/include/quantized.wgsl?raw";
import reduce from "/shaders/include/reduce.wgsl?raw";
import sumSubgroup from "/shaders/include/matvec-subgroup.wgsl?raw";
import sumWorkgroup from "/shaders/include/matvec-workgroup.wgsl?raw";
import productSource from "/shaders/matvec-experts.wgsl?raw";
import quantizedSource from "/shaders/matvec-experts-quantized.wgsl?raw";
import { GpuError } from "../gpu/errors.ts";
import { BYTES, type DType } from "../tensor/dtype.ts";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { QuantizedTensor } from "../tensor/quantized.ts";
import { empty, Tensor } from "../tensor/tensor.ts";
import { type Band, LAUNCH } from "./bands.ts";
import { contiguous } from "./copy.ts";
import { defineKernel } from "./kernel.ts";
import type { Matrix } from "./linear.ts";
import { matvecVariant, readsRows } from "./matvec.ts";
import { inQuads } from "./pad.ts";
import { definesOf, planeBands, planesOf } from "./quantized.ts";

const routeKernel = defineKernel({ name: "experts-route", source: routeSource, includes: [grid, reduce] });
const groupKernel = defineKernel({ name: "experts-group", source: groupSource });
const sumKernel = defineKernel({ name: "experts-sum", source: sumSource, includes: [grid] });

const define = (name: string, source: string, strided: readonly string[], includes: readonly string[] = []) => ({
  subgroup: defineKernel({ name: `${name}-subgroup`, source, includes: [multiplyQuads, sumSubgroup, ...includes], strided, enables: ["subgroups"] }),
  workgroup: defineKernel({ name: `${name}-workgroup`, source, includes: [multiplyQuads, sumWorkgroup, ...includes], strided }),
});
const productKernels = define("matvec-experts", productSource, ["x", "weight", "out"]);
const quantizedKernels = define("matvec-experts-quantized", quantizedSource, ["x", "out"], [quantized]);

/** The most experts of a layer: their counts lie in workgroup memory. */
export const MAX_EXPERTS = 1024;

/** For each row the experts it goes to, the likeliest first, and how much of each it takes. */
export interface Route {
  readonly ids: Tensor; // i32 [rows, used]
  readonly shares: Tensor; // f32 [rows, used]
}

/**
 * The `used` experts with the largest logits [rows, experts] of each row, and their softmax: over all experts, or over
 * themselves with `normalised`. Of equal logits the expert with the lower number comes first; PyTorch's topk leaves that
 * open. Throws ShapeError.
 */
export function routeToExperts(logits: Tensor, used: number, { normalised }: { readonly normalised: boolean }): Route {
  expectShape("routeToExperts: logits", logits, [null, null]);
  const [rows, experts] = logits.shape;
  if (!(used >= 1 && used <= experts && experts <= MAX_EXPERTS)) throw new ShapeError(`routeToExperts: ${used} of ${experts} experts; at most ${MAX_EXPERTS} can be told apart`);
  using scope = logits.gpu.scope();
  const [ids, shares] = [empty(logits.gpu, [rows, used], "i32"), empty(logits.gpu, [rows, used], "f32")];
  routeKernel.run({ logits: contiguous(logits), ids, shares }, { rows, experts, used }, [rows], { constants: { NORMALISED: Number(normalised) } });
  return { ids: scope.keep(ids), shares: scope.keep(shares) };
}

/** Slots (a row's place at one of its experts: row · used + which) by expert, cut into tiles that share one. */
export interface Groups {
  readonly order: Tensor; // u32 [slots]
  readonly tiles: Tensor; // u32 [tiles, 4]
  /** Slots of a tile at most. */
  readonly height: number;
}

/** Groups the slots of ids i32 [rows, used]. Tiles are the larger the more slots an expert has on average. */
export function groupByExpert(ids: Tensor, experts: number): Groups {
  const slots = ids.size;
  const height = Math.min(8, 2 ** Math.max(0, Math.floor(Math.log2(slots / experts)) + 1));
  const most = Math.min(slots, Math.floor(slots / height) + experts);
  using scope = ids.gpu.scope();
  const [order, tiles] = [empty(ids.gpu, [slots], "u32"), empty(ids.gpu, [most, 4], "u32")];
  groupKernel.run({ ids: contiguous(ids), order, tiles }, { slots, experts, tiles: most }, [1], { defines: { ROWS: height } });
  return { order: scope.keep(order), tiles: scope.keep(tiles), height };
}

/** Where a matrix [cols, K] lies in the stack [experts · height, K] of all experts' rows. */
export interface ExpertMatrix {
  readonly weight: Matrix;
  readonly experts: number;
  readonly cols: number;
  /** Row of an expert at which the matrix begins, where several lie below each other. */
  readonly first?: number;
}

/** For every slot its row of x times its expert's matrix: x [slots / per, K] → [slots, cols]; sums in f32. Throws ShapeError. */
export function expertProducts(x: Tensor, { weight, experts, cols, first = 0 }: ExpertMatrix, { order, tiles, height: tall }: Groups, dtype: DType = x.dtype): Tensor {
  const { gpu } = x;
  const slots = order.size;
  const terms = weight.dim(1);
  const height = weight.dim(0) / experts;
  expectShape("expertProducts: x", x, [null, terms]);
  const per = slots / x.dim(0);
  if (!Number.isInteger(per) || !Number.isInteger(height) || first + cols > height) {
    throw new ShapeError(`expertProducts: ${slots} slots of x ${formatShape(x.shape)}, rows ${first} to ${first + cols} of ${experts} experts in weight ${formatShape(weight.shape)}`);
  }
  using scope = gpu.scope();
  const out = scope.keep(empty(gpu, [slots, cols], dtype));
  if (out.size === 0) return out;
  const { sum, defines } = matvecVariant(gpu, cols);
  const common = { x: inQuads(x), order, tiles, out };
  const params = { cols, per, height, first_row: first, x_row: terms / 4 };
  const workgroups = [Math.ceil(cols / ((defines.COLS * defines.LANES) / defines.SHARE)), tiles.dim(0), 1] as const;
  const flops = (2 * slots * cols * terms) / experts; // of an expert
  if (weight instanceof QuantizedTensor) {
    for (const { start, end } of expertBands(experts, planeBands(weight, 0)[0].end / height, flops)) {
      const operands = { ...common, ...planesOf(weight, start * height, end * height) };
      const own = { ...defines, ...definesOf(weight.packing), ROWS: tall };
      quantizedKernels[sum].run(operands, { ...params, blocks: weight.blocks, first_expert: start, experts: end - start }, workgroups, { flops: flops * (end - start), defines: own });
    }
    return out;
  }
  if (!readsRows(weight)) throw new ShapeError(`expertProducts: weight expected rows of whole quads of words, got ${formatShape(weight.shape)} ${weight.dtype}`);
  const perWord = 4 / BYTES[weight.dtype];
  const words = new Tensor(gpu, weight.storage.retain(), [experts, (height * terms) / perWord], "u32", undefined, weight.offset / perWord);
  const { maxStorageBufferBindingSize: limit, minStorageBufferOffsetAlignment: alignment } = gpu.limits;
  for (const { start, end } of expertBands(experts, (limit - alignment) / (height * terms * BYTES[weight.dtype]), flops)) {
    const operands = { ...common, weight: words.slice(0, start, end) };
    const own = { ...defines, ROWS: tall, HALF: perWord - 1 };
    productKernels[sum].run(operands, { ...params, loads: terms / perWord / 4, first_expert: start, experts: end - start }, workgroups, { flops: flops * (end - start), defines: own });
  }
  return out;
}

/** Launches for the experts start … end-1, of which the device binds `most` at once. Throws GpuError where that is less than one. */
function expertBands(experts: number, most: number, flops: number): Band[] {
  if (most < 1) throw new GpuError("unsupported", "experts: this device cannot bind the weights of one of them at once");
  const each = Math.max(1, Math.floor(Math.min(experts, most, LAUNCH.flops / flops)));
  return Array.from({ length: Math.ceil(experts / each) }, (_, i) => ({ start: i * each, end: Math.min(experts, (i + 1) * each) }));
}

/** What each row takes from its experts, plus its residual: x [rows · used, D], shares [rows, used], residual [rows, D] → [rows, D], of x's dtype. Throws ShapeError. */
export function sumExperts(x: Tensor, shares: Tensor, residual?: Tensor): Tensor {
  const [rows, used] = shares.shape;
  expectShape("sumExperts: x", x, [rows * used, null]);
  const cols = x.dim(1);
  if (residual) expectShape("sumExperts: residual", residual, [rows, cols]);
  using scope = x.gpu.scope();
  const out = scope.keep(empty(x.gpu, [rows, cols], x.dtype));
  const from = contiguous(x);
  const operands = { x: from, shares: contiguous(shares), residual: residual ? contiguous(residual) : from, out };
  sumKernel.run(operands, { size: out.size, cols, used }, [Math.ceil(out.size / 64)], { constants: { RESIDUAL: Number(residual !== undefined) }, flops: 2 * x.size });
  return out;
}
