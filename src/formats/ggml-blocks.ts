// GGML's quantised blocks (ggml-common.h, ggml-quants.c of github.com/ggml-org/ggml): a block of 32 or 256 neighbours in a
// row shares its scales. value = scale · q, or scale · q − minimum, where the K types hold quantised scales of 16 or 32 each.
import { type Decoded, decodeTo, float16ToFloat32, float32ToFloat16, type StoredDtype } from "./dtype.ts";
import { FormatError } from "./errors.ts";

/** Elements and bytes of a block of every type that is read here. */
export const ggmlBlocks = {
  Q4_0: { elements: 32, bytes: 18 }, Q4_1: { elements: 32, bytes: 20 },
  Q5_0: { elements: 32, bytes: 22 }, Q5_1: { elements: 32, bytes: 24 },
  Q8_0: { elements: 32, bytes: 34 },
  Q2_K: { elements: 256, bytes: 84 }, Q3_K: { elements: 256, bytes: 110 }, Q4_K: { elements: 256, bytes: 144 },
  Q5_K: { elements: 256, bytes: 176 }, Q6_K: { elements: 256, bytes: 210 },
  IQ4_NL: { elements: 32, bytes: 18 }, MXFP4: { elements: 32, bytes: 17 },
} as const;

/** A quantised type, named as GGML names it. */
export type GgmlBlockType = keyof typeof ggmlBlocks;

export function isBlockType(dtype: string): dtype is GgmlBlockType {
  return Object.hasOwn(ggmlBlocks, dtype);
}

/**
 * Values of whole blocks, in order: each correctly rounded to f32, so equal to GGML's own. F32, F16 and BF16 count as
 * blocks of one. Throws FormatError where the bytes are no whole number of blocks.
 */
export function dequantizeBlocks(type: GgmlBlockType | "F32" | "F16" | "BF16", bytes: Uint8Array): Float32Array {
  if (!isBlockType(type)) return decodeTo(type, bytes, "f32");
  const { elements, bytes: blockBytes } = ggmlBlocks[type];
  if (bytes.byteLength % blockBytes !== 0) throw new FormatError(`${bytes.byteLength} bytes are no whole number of ${type} blocks of ${blockBytes}`);
  const blocks = bytes.byteLength / blockBytes;
  const out = new Float32Array(blocks * elements);
  const decode = decoders[type];
  for (let i = 0; i < blocks; i++) decode(bytes, i * blockBytes, out, i * elements);
  return out;
}

/** As `decodeTo`, of blocks too. */
export function decodeStored<T extends "f32" | "f16">(dtype: StoredDtype | GgmlBlockType, bytes: Uint8Array, to: T): Decoded[T];
export function decodeStored(dtype: StoredDtype | GgmlBlockType, bytes: Uint8Array, to: "f32" | "f16"): Decoded["f32" | "f16"] {
  if (!isBlockType(dtype)) return decodeTo(dtype, bytes, to);
  const values = dequantizeBlocks(dtype, bytes);
  return to === "f16" ? float32ToFloat16(values) : values;
}

/** Decodes the block of `bytes` at `at` to `out` from `o` on. */
type BlockDecoder = (bytes: Uint8Array, at: number, out: Float32Array, o: number) => void;

// Every product and sum below is exact in double precision, so the store into `out` is the only rounding.
const decoders: Record<GgmlBlockType, BlockDecoder> = {
  // d f16, 16 bytes: element i in the low half of byte i, element i + 16 in the high half
  Q4_0(bytes, at, out, o) {
    const d = half(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i];
      out[o + i] = d * ((pair & 15) - 8);
      out[o + 16 + i] = d * ((pair >> 4) - 8);
    }
  },
  // d f16, m f16, 16 bytes
  Q4_1(bytes, at, out, o) {
    const d = half(bytes, at);
    const m = half(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i];
      out[o + i] = d * (pair & 15) + m;
      out[o + 16 + i] = d * (pair >> 4) + m;
    }
  },
  // d f16, 32 fifth bits, 16 bytes
  Q5_0(bytes, at, out, o) {
    const d = half(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 6 + i];
      out[o + i] = d * (((pair & 15) | (bit(bytes, at + 2, i) << 4)) - 16);
      out[o + 16 + i] = d * (((pair >> 4) | (bit(bytes, at + 2, i + 16) << 4)) - 16);
    }
  },
  // d f16, m f16, 32 fifth bits, 16 bytes
  Q5_1(bytes, at, out, o) {
    const d = half(bytes, at);
    const m = half(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 8 + i];
      out[o + i] = d * ((pair & 15) | (bit(bytes, at + 4, i) << 4)) + m;
      out[o + 16 + i] = d * ((pair >> 4) | (bit(bytes, at + 4, i + 16) << 4)) + m;
    }
  },
  // d f16, 32 signed bytes
  Q8_0(bytes, at, out, o) {
    const d = half(bytes, at);
    for (let i = 0; i < 32; i++) out[o + i] = d * signed(bytes[at + 2 + i]);
  },
  // 16 bytes of scale | minimum << 4, 64 bytes of 2 bits, d f16, dmin f16
  Q2_K(bytes, at, out, o) {
    const d = half(bytes, at + 80);
    const dmin = half(bytes, at + 82);
    for (let i = 0; i < 256; i++) {
      const scale = bytes[at + (i >> 4)];
      out[o + i] = d * (scale & 15) * twoBits(bytes, at + 16, i) - dmin * (scale >> 4);
    }
  },
  // 32 bytes of third bits (absent: −4), 64 bytes of 2 bits, 12 bytes of 6-bit scales + 32, d f16
  Q3_K(bytes, at, out, o) {
    const d = half(bytes, at + 108);
    for (let group = 0; group < 16; group++) {
      const low = (bytes[at + 96 + (group & 7)] >> (group < 8 ? 0 : 4)) & 15;
      const high = (bytes[at + 104 + (group & 3)] >> (2 * (group >> 2))) & 3;
      const scale = d * ((low | (high << 4)) - 32);
      for (let i = group * 16; i < group * 16 + 16; i++) {
        const third = (bytes[at + (i & 31)] >> (i >> 5)) & 1;
        out[o + i] = scale * (twoBits(bytes, at + 32, i) - 4 * (1 - third));
      }
    }
  },
  // d f16, dmin f16, 12 bytes of 6-bit scales and minima, 128 bytes of 4 bits
  Q4_K(bytes, at, out, o) {
    const d = half(bytes, at);
    const dmin = half(bytes, at + 2);
    for (let group = 0; group < 8; group++) {
      const scale = d * sixBitScale(bytes, at + 4, group);
      const minimum = dmin * sixBitMinimum(bytes, at + 4, group);
      for (let i = group * 32; i < group * 32 + 32; i++) out[o + i] = scale * fourBits(bytes, at + 16, i) - minimum;
    }
  },
  // d f16, dmin f16, 12 bytes of 6-bit scales and minima, 32 bytes of fifth bits, 128 bytes of 4 bits
  Q5_K(bytes, at, out, o) {
    const d = half(bytes, at);
    const dmin = half(bytes, at + 2);
    for (let group = 0; group < 8; group++) {
      const scale = d * sixBitScale(bytes, at + 4, group);
      const minimum = dmin * sixBitMinimum(bytes, at + 4, group);
      for (let i = group * 32; i < group * 32 + 32; i++) {
        const fifth = (bytes[at + 16 + (i & 31)] >> group) & 1;
        out[o + i] = scale * (fourBits(bytes, at + 48, i) | (fifth << 4)) - minimum;
      }
    }
  },
  // 128 bytes of low 4 bits, 64 bytes of high 2 bits, 16 signed scales, d f16; q + 32
  Q6_K(bytes, at, out, o) {
    const d = half(bytes, at + 208);
    for (let i = 0; i < 256; i++) {
      const low = (bytes[at + 64 * (i >> 7) + (i & 63)] >> (4 * ((i >> 6) & 1))) & 15;
      const high = twoBits(bytes, at + 128, i);
      out[o + i] = d * signed(bytes[at + 192 + (i >> 4)]) * ((low | (high << 4)) - 32);
    }
  },
  // d f16, 16 bytes of indices into a table of uneven steps
  IQ4_NL(bytes, at, out, o) {
    const d = half(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i];
      out[o + i] = d * iq4Values[pair & 15];
      out[o + 16 + i] = d * iq4Values[pair >> 4];
    }
  },
  // 2^(e − 127) as a byte e, 16 bytes of 4-bit floats (OCP Microscaling Formats 1.0: E2M1)
  MXFP4(bytes, at, out, o) {
    const d = 2 ** (bytes[at] - 127);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 1 + i];
      out[o + i] = d * e2m1Values[pair & 15];
      out[o + 16 + i] = d * e2m1Values[pair >> 4];
    }
  },
};

const iq4Values = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
const e2m1Values = [0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6];

let halves: Float32Array | null = null; // the value of every f16 pattern

function half(bytes: Uint8Array, at: number): number {
  halves ??= float16ToFloat32(Uint16Array.from({ length: 65_536 }, (_, pattern) => pattern));
  return halves[bytes[at] | (bytes[at + 1] << 8)];
}

function signed(byte: number): number {
  return (byte << 24) >> 24;
}

/** Bit i of bytes that begin at `at`. */
function bit(bytes: Uint8Array, at: number, i: number): number {
  return (bytes[at + (i >> 3)] >> (i & 7)) & 1;
}

/** Element i of 256 in 64 bytes: each 32 bytes hold four runs of 32, the first in the lowest bits. */
function twoBits(bytes: Uint8Array, at: number, i: number): number {
  return (bytes[at + 32 * (i >> 7) + (i & 31)] >> (2 * ((i >> 5) & 3))) & 3;
}

/** Element i of 256 in 128 bytes: each 32 bytes hold two runs of 32, the first in the low halves. */
function fourBits(bytes: Uint8Array, at: number, i: number): number {
  return (bytes[at + 32 * (i >> 6) + (i & 31)] >> (4 * ((i >> 5) & 1))) & 15;
}

/** Scale of group 0 … 7: the low 6 bits of bytes 0 … 3; then the low halves of bytes 8 … 11 and the top 2 bits of bytes 0 … 3. */
function sixBitScale(bytes: Uint8Array, at: number, group: number): number {
  return group < 4 ? bytes[at + group] & 63 : (bytes[at + group + 4] & 15) | ((bytes[at + group - 4] >> 6) << 4);
}

/** Minimum of group 0 … 7: likewise in bytes 4 … 7, and in the high halves of bytes 8 … 11. */
function sixBitMinimum(bytes: Uint8Array, at: number, group: number): number {
  return group < 4 ? bytes[at + group + 4] & 63 : (bytes[at + group + 4] >> 4) | ((bytes[at + group] >> 6) << 4);
}
