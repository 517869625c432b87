// Matrix times few vectors, as in decoding: bound by the reading of the matrix.
import activationSource from "/shaders/include/activation.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import store from "/shaders/include/matvec-store.wgsl?raw";
import sumSubgroup from "/shaders/include/matvec-subgroup.wgsl?raw";
import sumWorkgroup from "/shaders/include/matvec-workgroup.wgsl?raw";
import multiplyQuads from "/shaders/include/multiply-quads.wgsl?raw";
import source from "/shaders/matvec.wgsl?raw";
import type { Gpu } from "../gpu/gpu.ts";
import { BYTES } from "../tensor/dtype.ts";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, Tensor } from "../tensor/tensor.ts";
import { ACTIVATIONS } from "./activation.ts";
import { bandsOf } from "./bands.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import type { LinearOptions } from "./linear-matmul.ts";
import { inQuads } from "./pad.ts";

/** Who shares the work of a matrix-vector product. */
export interface MatvecVariant {
  readonly sum: "subgroup" | "workgroup";
  /** Invocations that split the terms of a column, columns of out for each such group, invocations in a workgroup. */
  readonly defines: { readonly SHARE: number; readonly COLS: number; readonly LANES: number };
}

/** The most rows of x in one launch. */
export const MATVEC_ROWS = 8;

/** A kernel in both ways to add up. */
export function defineMatvec(name: string, source: string, strided: readonly string[], includes: readonly string[] = []): Record<MatvecVariant["sum"], Kernel> {
  const shared = [activationSource, grid, multiplyQuads, store, ...includes];
  const all = [...strided, "bias", "residual", "out"];
  return {
    subgroup: defineKernel({ name: `${name}-subgroup`, source, includes: [...shared, sumSubgroup], strided: all, enables: ["subgroups"] }),
    workgroup: defineKernel({ name: `${name}-workgroup`, source, includes: [...shared, sumWorkgroup], strided: all }),
  };
}

/** By the kind of GPU: one that the CPU plays wants few loads, another many invocations. */
export function matvecVariant({ traits, features }: Gpu, cols: number, quantised = false): MatvecVariant {
  const subgroups = features.subgroups && traits.subgroupSize >= 8;
  const sum = subgroups ? "subgroup" : "workgroup";
  if (traits.software) return { sum, defines: { SHARE: 8, COLS: quantised ? 4 : 8, LANES: 8 } };
  const share = subgroups ? Math.min(32, traits.subgroupSize) : 32;
  return { sum, defines: { SHARE: share, COLS: cols >= 16384 ? 4 : 2, LANES: 64 } };
}

const kernels = defineMatvec("matvec", source, ["x", "weight"]);

/** Whether matvec can read such a weight: its rows are whole quads of words. */
export function readsRows(weight: Tensor): boolean {
  const quad = 16 / BYTES[weight.dtype];
  return weight.contiguous && weight.dim(-1) % quad === 0 && weight.offset % quad === 0;
}

/**
 * activation(x Wᵀ + bias) + residual. x [..., K] of at most MATVEC_ROWS rows, weight [N, K] f32 or f16 that `readsRows` accepts
 * → [..., N]. Sums in f32. Throws ShapeError.
 */
export function matvec(x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  const { gpu } = x;
  if (!readsRows(weight)) throw new ShapeError(`matvec: weight expected rows of whole quads of words, got ${formatShape(weight.shape)} ${weight.dtype}`);
  const [cols, terms] = weight.shape;
  using scope = gpu.scope();
  const { out, rows, given, bindings, params, constants } = bindMatvec("matvec", x, weight.shape, options);
  scope.keep(out);
  const { sum, defines } = matvecVariant(gpu, cols);
  const perWord = 4 / BYTES[weight.dtype];
  const words = new Tensor(gpu, weight.storage.retain(), [cols, terms / perWord], "u32", [terms / perWord, 1], weight.offset / perWord);
  for (const { start, end } of bandsOf(gpu, "matvec", cols, { rowBytes: [terms * BYTES[weight.dtype]], rowFlops: 2 * rows * terms, strided: true })) {
    kernels[sum].run(
      { ...bindings(start, end), weight: end - start === cols ? words : words.slice(0, start, end) },
      { ...params, cols: end - start, loads: terms / perWord / 4 },
      [Math.ceil((end - start) / ((defines.COLS * defines.LANES) / defines.SHARE))],
      { flops: 2 * rows * (end - start) * terms, defines: { ...defines, ROWS: given, HALF: perWord - 1 }, constants },
    );
  }
  return out;
}

/** What a launch for columns start … end-1 of out binds besides its weight. Shapes are checked here. */
export interface BoundMatvec {
  readonly out: Tensor;
  readonly rows: number;
  /** Rows that the kernel is compiled for. */
  readonly given: number;
  bindings(start: number, end: number): Record<"x" | "bias" | "residual" | "out", Tensor>;
  readonly params: Readonly<Record<"rows" | "x_row" | "residual_row" | "out_row", number>>;
  readonly constants: Readonly<Record<"BIAS" | "RESIDUAL" | "ACTIVATION", number>>;
}

/** Operands that are not given are bound to x; the shader does not read them. Call in a scope; it owns what this makes. */
export function bindMatvec(what: string, x: Tensor, [cols, terms]: readonly number[], { bias, activation = "none", residual, dtype = x.dtype }: LinearOptions): BoundMatvec {
  expectShape(`${what}: x`, x, [...x.shape.slice(0, -1), terms]);
  if (bias) expectShape(`${what}: bias`, bias, [cols]);
  const shape = [...x.shape.slice(0, -1), cols];
  if (residual) expectShape(`${what}: residual`, residual, shape);
  const rows = x.size / terms;
  if (!(rows >= 1 && rows <= MATVEC_ROWS)) throw new ShapeError(`${what}: x expected 1 to ${MATVEC_ROWS} rows, got ${formatShape(x.shape)}`);
  const out = empty(x.gpu, shape, dtype);
  const flat = inQuads(x);
  const added = residual && inQuads(residual);
  return {
    out,
    rows,
    given: 2 ** Math.ceil(Math.log2(rows)),
    bindings(start, end) {
      if (end - start === cols) return { x: flat, bias: bias ?? flat, residual: added ?? flat, out }; // views cost time, of which a token has little
      return { x: flat, bias: bias?.slice(0, start, end) ?? flat, residual: added?.reshape([rows, cols]).slice(1, start, end) ?? flat, out: out.reshape([rows, cols]).slice(1, start, end) };
    },
    params: { rows, x_row: terms / 4, residual_row: cols, out_row: cols },
    constants: { BIAS: Number(bias !== undefined), RESIDUAL: Number(residual !== undefined), ACTIVATION: ACTIVATIONS[activation] },
  };
}
