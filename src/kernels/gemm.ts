// The ways to compute a matrix product's tile, shared by matmul and conv2d, and the choice among them by shape and kind of GPU.
import activation from "/shaders/include/activation.wgsl?raw";
import gemmLanes from "/shaders/include/gemm-lanes.wgsl?raw";
import gemmTile from "/shaders/include/gemm-tile.wgsl?raw";
import multiplyQuads from "/shaders/include/multiply-quads.wgsl?raw";
import spreadNone from "/shaders/include/spread-none.wgsl?raw";
import spreadSubgroup from "/shaders/include/spread-subgroup.wgsl?raw";
import type { Gpu } from "../gpu/gpu.ts";
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

/** A kernel in all variants: how to launch it for a product of [m, k] and [k, n]. */
export interface GemmKernel {
  choose(gpu: Gpu, m: number, n: number): { readonly kernel: Kernel; readonly defines: Variant["defines"]; readonly tile: Variant["tile"] };
}

/** `source` calls gemm() and gives what include/gemm-tile.wgsl asks for. */
export function defineGemm(name: string, source: string, strided: readonly string[]): GemmKernel {
  const define = (include: Variant["include"], includes: readonly string[], enables: readonly string[] = []): Kernel =>
    defineKernel({ name: `${name}-${include}`, source, includes: [activation, multiplyQuads, ...includes], strided, enables });
  const kernels: Record<Variant["include"], Kernel> = {
    lanes: define("lanes", [gemmLanes, spreadSubgroup], ["subgroups"]),
    alone: define("alone", [gemmLanes, spreadNone]),
    tile: define("tile", [gemmTile]),
  };
  return {
    choose(gpu, m, n) {
      const { include, defines, tile } = VARIANTS[pins.get(gpu) ?? variantFor(gpu, m, n)];
      return { kernel: kernels[include], defines, tile };
    },
  };
}

const pins = new WeakMap<Gpu, GemmVariant>();

/** Makes every product on this GPU use one variant, so that results repeat bit for bit on other shapes' choices; null chooses by shape again. */
export function pinGemm(gpu: Gpu, variant: GemmVariant | null): void {
  if (variant) pins.set(gpu, variant);
  else pins.delete(gpu);
}

/** A fixed choice, never a race at run time: the same shape gives the same bits on the same kind of GPU. */
export function variantFor({ traits, features }: Gpu, m: number, n: number): GemmVariant {
  if (traits.software) {
    if (!features.subgroups) return "alone";
    return traits.subgroupSize >= 8 ? "lanes8" : "lanes4";
  }
  if (m <= 16) return "thin";
  const tiles = Math.ceil(m / 64) * Math.ceil(n / 64);
  return tiles >= 64 ? "large" : "medium";
}
