// The ways to compute a matrix product's tile, shared by matmul and conv2d, and the choice among them by shape and kind of GPU.
import activationSource from "/shaders/include/activation.wgsl?raw";
import gemmGrid from "/shaders/include/gemm-grid.wgsl?raw";
import gemmLanes from "/shaders/include/gemm-lanes.wgsl?raw";
import gemmTile from "/shaders/include/gemm-tile.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import multiplyQuads from "/shaders/include/multiply-quads.wgsl?raw";
import spreadNone from "/shaders/include/spread-none.wgsl?raw";
import spreadSubgroup from "/shaders/include/spread-subgroup.wgsl?raw";
import splitSum from "/shaders/split-sum.wgsl?raw";
import type { Gpu } from "../gpu/gpu.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { type Activation, ACTIVATIONS } from "./activation.ts";
import { defineKernel, type Kernel } from "./kernel.ts";

/** One variant: a WGSL include, its register and workgroup tile. `tile`: rows and columns of out per workgroup. */
interface Variant {
  readonly include: "lanes" | "alone" | "tile";
  readonly defines: Readonly<Record<string, number>>;
  readonly tile: readonly [rows: number, cols: number];
}

const VARIANTS = {
  /** For GPUs that the CPU plays, with subgroups of at least 8. */
  lanes8: { include: "lanes", defines: { ROWS: 8, GROUP: 8 }, tile: [8, 32] },
  lanes16: { include: "lanes", defines: { ROWS: 16, GROUP: 8 }, tile: [16, 32] },
  /** … with subgroups of at least 4, which is WebGPU's smallest. */
  lanes4: { include: "lanes", defines: { ROWS: 8, GROUP: 4 }, tile: [8, 32] },
  /** … without subgroups. */
  alone: { include: "alone", defines: { ROWS: 4, GROUP: 1 }, tile: [4, 32] },
  large: { include: "tile", defines: { ROWS: 8, COL_QUADS: 2, LANES_M: 8, LANES_N: 8, DEPTH: 4 }, tile: [64, 64] },
  medium: { include: "tile", defines: { ROWS: 4, COL_QUADS: 1, LANES_M: 8, LANES_N: 8, DEPTH: 4 }, tile: [32, 32] },
  thin: { include: "tile", defines: { ROWS: 2, COL_QUADS: 1, LANES_M: 4, LANES_N: 16, DEPTH: 8 }, tile: [8, 64] },
} as const satisfies Record<string, Variant>;

export type GemmVariant = keyof typeof VARIANTS;

export const GEMM_VARIANTS = Object.keys(VARIANTS) as readonly GemmVariant[];

/** What follows the sums; see matmul and conv2d. */
export interface Epilogue {
  readonly bias?: Tensor; // [cols]
  readonly channelBias?: Tensor; // [rows / pixels, cols]
  readonly residual?: Tensor; // [rows, cols]
  readonly activation?: Activation;
  /** The activation follows the residual instead of preceding it. */
  readonly activateLast?: boolean;
  readonly scale?: number;
}

/** One product on the way to the GPU. Everything lies in quads: extents of the last axes are multiples of 4. */
export interface Product {
  /** By the shader's names, without those of the epilogue. */
  readonly operands: Readonly<Record<string, Tensor>>;
  readonly params: Readonly<Record<string, number>>;
  readonly constants?: Readonly<Record<string, number>>;
  readonly out: Tensor; // [batch * rows, cols] in any shape
  readonly batch: number;
  readonly rows: number;
  readonly cols: number;
  readonly terms: number;
  /** Rows that share a row of channelBias. */
  readonly pixels: number;
  readonly epilogue: Epilogue;
}

/** A kernel in all variants. */
export interface GemmKernel {
  /** The variant for all of a product; its bands use the same, so that they equal the whole. */
  choose(gpu: Gpu, rows: number, cols: number, terms: number, batch?: number): Choice;
  run(choice: Choice, product: Product): void;
}

export interface Choice {
  readonly variant: GemmVariant;
  /** Workgroups that share the terms of one output. */
  readonly splits: number;
}

/** `source` calls gemm() and gives what include/gemm-tile.wgsl asks for; `spare` is the operand bound in place of those that are not given. */
export function defineGemm(name: string, source: string, operands: readonly string[], spare: string): GemmKernel {
  const strided = [...operands, "bias", "channel_bias", "residual", "out"];
  const define = (include: Variant["include"], includes: readonly string[], enables: readonly string[] = []): Kernel =>
    defineKernel({ name: `${name}-${include}`, source, includes: [activationSource, gemmGrid, grid, multiplyQuads, ...includes], strided, enables });
  const kernels: Record<Variant["include"], Kernel> = {
    lanes: define("lanes", [gemmLanes, spreadSubgroup], ["subgroups"]),
    alone: define("alone", [gemmLanes, spreadNone]),
    tile: define("tile", [gemmTile]),
  };
  const known = (constants: Record<string, number>) => Object.fromEntries(Object.entries(constants).filter(([key]) => source.includes(`override ${key}:`)));
  return {
    choose(gpu, rows, cols, terms, batch = 1) {
      const pin = pins.get(gpu);
      const variant = pin?.variant ?? variantFor(gpu, rows, cols);
      return { variant, splits: pin?.splits ?? splitsFor(variant, rows, cols, terms, batch) };
    },
    run({ variant, splits }, { operands, params, constants, out, batch, rows, cols, terms, pixels, epilogue }) {
      const { include, defines, tile } = VARIANTS[variant];
      const [rowTiles, colTiles] = [Math.ceil(rows / tile[0]), Math.ceil(cols / tile[1])];
      const workgroups: [number] = [rowTiles * colTiles * batch * splits];
      const placed = { ...params, splits, batches: batch, row_tiles: rowTiles, col_tiles: colTiles };
      const flops = 2 * batch * rows * cols * terms;
      const after = bindEpilogue(epilogue, operands[spare]);
      if (splits === 1) {
        kernels[include].run({ ...operands, ...after.operands, out }, placed, workgroups, { flops, defines, constants: known({ ...constants, ...after.constants, PARTIAL: 0 }) });
        return;
      }
      using _scope = out.gpu.scope();
      const parts = empty(out.gpu, [splits, rows, cols], "f32");
      const none = bindEpilogue({}, operands[spare]);
      kernels[include].run({ ...operands, ...none.operands, out: parts }, placed, workgroups, { flops, defines, constants: known({ ...constants, ...none.constants, PARTIAL: 1 }) });
      const quads = (rows * cols) / 4;
      sumKernel.run({ parts, ...after.operands, out }, { quads, cols, splits, pixels, scale: epilogue.scale ?? 1 }, [Math.ceil(quads / 64)], { constants: after.constants });
    },
  };
}

const sumKernel = defineKernel({ name: "split-sum", source: splitSum, includes: [grid, activationSource], strided: ["bias", "channel_bias", "residual", "out"] });

/** Operands that are not given are bound to another one; the shader does not read them. */
function bindEpilogue({ bias, channelBias, residual, activation = "none", activateLast = false }: Epilogue, spare: Tensor): { operands: Record<string, Tensor>; constants: Record<string, number> } {
  return {
    operands: { bias: bias ?? spare, channel_bias: channelBias ?? spare, residual: residual ?? spare },
    constants: { BIAS: bias ? 1 : 0, CHANNEL_BIAS: channelBias ? 1 : 0, RESIDUAL: residual ? 1 : 0, ACTIVATION: ACTIVATIONS[activation], ACTIVATE_LAST: Number(activateLast) },
  };
}

const pins = new WeakMap<Gpu, { variant: GemmVariant; splits: number }>();

/** Makes every product on this GPU use one variant, so that results repeat bit for bit whatever the shape; null chooses by shape again. Only tiles can be split. */
export function pinGemm(gpu: Gpu, variant: GemmVariant | null, splits = 1): void {
  if (variant) pins.set(gpu, { variant, splits });
  else pins.delete(gpu);
}

/** Whether every product on this GPU has to use one variant. */
export function pinnedGemm(gpu: Gpu): boolean {
  return pins.has(gpu);
}

/** A fixed choice, never a race at run time: the same shape gives the same bits on the same kind of GPU. */
export function variantFor({ traits, features }: Gpu, rows: number, cols: number): GemmVariant {
  if (traits.software) {
    if (!features.subgroups) return "alone";
    return traits.subgroupSize >= 8 ? "lanes8" : "lanes4";
  }
  if (rows <= 16) return "thin";
  return Math.ceil(rows / 64) * Math.ceil(cols / 64) >= 64 ? "large" : "medium";
}

/** Workgroups that keep a large GPU busy, and the fewest terms that make a workgroup worth its start. */
const BUSY = { workgroups: 256, terms: 512, splits: 16 };

/** Splits the terms where there are too few outputs to fill a GPU, as at 8² and 16². */
export function splitsFor(variant: GemmVariant, rows: number, cols: number, terms: number, batch: number): number {
  const { include, tile } = VARIANTS[variant];
  if (include !== "tile" || batch > 1) return 1;
  const workgroups = Math.ceil(rows / tile[0]) * Math.ceil(cols / tile[1]);
  return Math.max(1, Math.min(Math.floor(BUSY.workgroups / workgroups), Math.floor(terms / BUSY.terms), BUSY.splits));
}
