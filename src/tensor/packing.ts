// How quantised weights lie on the GPU: planes of code bits over blocks of 32, whose scales lie apart. Every block type of GGML
// becomes one of these without loss, at about its own size; shaders/include/quantized.wgsl reads them.
import { type GgmlBlockType, ggmlBlocks } from "../formats/ggml-blocks.ts";

/** Elements of a row that share a scale word. */
export const BLOCK = 32;

/** Numbers of the ways in which a block holds its scales, as the shader knows them. */
export const SCALES = {
  /** f16. */
  half: 0,
  /** f16 scale, f16 minimum. */
  "half-minimum": 1,
  /** The upper half of an f32. */
  brain: 2,
  /** Two signed bytes for 16 elements each, times the f16 of 256. */
  signed: 3,
  /** Two bytes, 4 bits of scale and 4 of minimum for 16 elements each, times the two f16 of 256. */
  nibbles: 4,
  /** A byte of scale and a byte of minimum, times the two f16 of 256. */
  bytes: 5,
} as const;

export interface Packing {
  /** Bits of a code in the planes: all of them in `low`, or the upper ones in `high`. */
  readonly lowBits: 2 | 4 | 8;
  readonly highBits: 0 | 1 | 2;
  readonly scales: keyof typeof SCALES;
  /** The code that means zero, where there is no minimum. */
  readonly zero: number;
  /** Sixteen signed bytes that the codes stand for, four a word. */
  readonly table: readonly [number, number, number, number] | null;
}

const uneven = words([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]);
const e2m1 = words([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]); // twice the value: the scale is halved

/** What each of GGML's block types becomes. */
export const PACKINGS: Readonly<Record<GgmlBlockType, Packing>> = {
  Q8_0: { lowBits: 8, highBits: 0, scales: "half", zero: 128, table: null },
  Q4_0: { lowBits: 4, highBits: 0, scales: "half", zero: 8, table: null },
  Q4_1: { lowBits: 4, highBits: 0, scales: "half-minimum", zero: 0, table: null },
  Q5_0: { lowBits: 4, highBits: 1, scales: "half", zero: 16, table: null },
  Q5_1: { lowBits: 4, highBits: 1, scales: "half-minimum", zero: 0, table: null },
  Q2_K: { lowBits: 2, highBits: 0, scales: "nibbles", zero: 0, table: null },
  Q3_K: { lowBits: 2, highBits: 1, scales: "signed", zero: 4, table: null },
  Q4_K: { lowBits: 4, highBits: 0, scales: "bytes", zero: 0, table: null },
  Q5_K: { lowBits: 4, highBits: 1, scales: "bytes", zero: 0, table: null },
  Q6_K: { lowBits: 4, highBits: 2, scales: "signed", zero: 32, table: null },
  IQ4_NL: { lowBits: 4, highBits: 0, scales: "half", zero: 0, table: uneven },
  MXFP4: { lowBits: 4, highBits: 0, scales: "brain", zero: 0, table: e2m1 },
};

/** Words of each plane for so many blocks. `low` is read four words at a time. */
export function planeWords({ lowBits, highBits, scales }: Packing, blocks: number): { low: number; high: number; scales: number; supers: number } {
  return {
    low: Math.ceil((blocks * lowBits) / 4) * 4,
    high: blocks * highBits,
    scales: scales === "half-minimum" ? blocks : Math.ceil(blocks / 2),
    supers: hasSupers(scales) ? Math.ceil(blocks / 8) : 0,
  };
}

export function hasSupers(scales: Packing["scales"]): boolean {
  return scales === "signed" || scales === "nibbles" || scales === "bytes";
}

/** Elements that a row of this type is a multiple of. */
export function blockElements(type: GgmlBlockType): number {
  return ggmlBlocks[type].elements;
}

function words(values: readonly number[]): readonly [number, number, number, number] {
  const view = new DataView(Int8Array.from(values).buffer);
  return [view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true), view.getUint32(12, true)];
}
