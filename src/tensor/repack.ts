// GGML's blocks as the planes of packing.ts, without loss. Four codes at a time, a byte each in a word: a "quad".
import { type GgmlBlockType, ggmlBlocks } from "../formats/ggml-blocks.ts";
import { FormatError } from "../formats/errors.ts";
import { BLOCK, PACKINGS, planeWords } from "./packing.ts";

/** Words of the planes, in the order of the blocks. */
export interface Planes {
  readonly low: Uint32Array<ArrayBuffer>;
  readonly high: Uint32Array<ArrayBuffer>;
  readonly scales: Uint32Array<ArrayBuffer>;
  readonly supers: Uint32Array<ArrayBuffer>;
}

/** Reads whole blocks of `type`. Throws FormatError for a part of one. */
export function repack(type: GgmlBlockType, bytes: Uint8Array): Planes {
  const { elements, bytes: blockBytes } = ggmlBlocks[type];
  if (bytes.byteLength % blockBytes !== 0) throw new FormatError(`${bytes.byteLength} bytes are no whole number of ${type} blocks of ${blockBytes}`);
  const { lowBits, highBits } = PACKINGS[type];
  const perBlock = elements / BLOCK;
  const stored = bytes.byteLength / blockBytes;
  const words = planeWords(PACKINGS[type], stored * perBlock);
  const planes = { low: new Uint32Array(words.low), high: new Uint32Array(words.high), scales: new Uint32Array(words.scales), supers: new Uint32Array(words.supers) };
  const reader = readers[type];
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const halves = new Uint16Array(planes.scales.buffer);
  for (let i = 0; i < stored; i++) {
    const at = i * blockBytes;
    reader.scales(source, at, i, halves, planes.supers);
    for (let part = 0; part < perBlock; part++) {
      const block = i * perBlock + part;
      for (let q = 0; q < 8; q++) {
        const quad = reader.quad(source, at, part, q);
        putLow(planes.low, lowBits, block, q, quad);
        if (highBits) putHigh(planes.high, highBits, block, q, quad >>> lowBits);
      }
    }
  }
  return planes;
}

function putLow(low: Uint32Array, bits: 2 | 4 | 8, block: number, q: number, quad: number): void {
  if (bits === 8) low[8 * block + q] = quad;
  else if (bits === 4) low[4 * block + (q & 3)] |= (quad & 0x0f0f0f0f) << (4 * (q >> 2));
  else low[2 * block + (q & 1)] |= (quad & 0x03030303) << (2 * (q >> 1));
}

function putHigh(high: Uint32Array, bits: 1 | 2, block: number, q: number, quad: number): void {
  if (bits === 1) high[block] |= (Math.imul(quad & 0x01010101, 0x01020408) >>> 24) << (4 * q);
  else high[2 * block + (q & 1)] |= (quad & 0x03030303) << (2 * (q >> 1));
}

interface BlockReader {
  /** Four codes, quad q of the part-th 32 elements of the block at `at`. */
  quad(source: DataView, at: number, part: number, q: number): number;
  /** Puts the scales of the i-th block, which begins at `at`. */
  scales(source: DataView, at: number, i: number, halves: Uint16Array, supers: Uint32Array): void;
}

const LOW = 0x0f0f0f0f;

/** Four bytes at `at` of which the lower halves are quads 0 … 3 of 32, the upper ones quads 4 … 7. */
const nibbles = (source: DataView, at: number, q: number) => (source.getUint32(at + 4 * (q & 3), true) >>> (4 * (q >> 2))) & LOW;

/** Quad q of the part-th 32 of 256 in 64 bytes: each 32 bytes hold four runs of 32, the first in the lowest bits. */
const twoBits = (source: DataView, at: number, part: number, q: number) => (source.getUint32(at + 32 * (part >> 2) + 4 * q, true) >>> (2 * (part & 3))) & 0x03030303;

/** … of 256 in 128 bytes: each 32 bytes hold two runs of 32, the first in the lower halves. */
const fourBits = (source: DataView, at: number, part: number, q: number) => (source.getUint32(at + 32 * (part >> 1) + 4 * q, true) >>> (4 * (part & 1))) & LOW;

/** Four bits, the lowest first, to bit 4 of a byte each. */
const fifths = (bits: number) => ((bits & 1) << 4) | ((bits & 2) << 11) | ((bits & 4) << 18) | ((bits & 8) << 25);

/** f16 in front of the block. */
const half: BlockReader["scales"] = (source, at, i, halves) => {
  halves[i] = source.getUint16(at, true);
};

/** f16 scale and f16 minimum in front of it. */
const halfMinimum: BlockReader["scales"] = (source, at, i, halves) => {
  halves[2 * i] = source.getUint16(at, true);
  halves[2 * i + 1] = source.getUint16(at + 2, true);
};

/** Scales and minima of 6 bits in 12 bytes behind two f16: see llama.cpp's get_scale_min_k4. */
const sixBits: BlockReader["scales"] = (source, at, i, halves, supers) => {
  supers[i] = source.getUint32(at, true);
  const byte = (k: number) => source.getUint8(at + 4 + k);
  for (let group = 0; group < 8; group++) {
    const scale = group < 4 ? byte(group) & 63 : (byte(group + 4) & 15) | ((byte(group - 4) >> 6) << 4);
    const minimum = group < 4 ? byte(group + 4) & 63 : (byte(group + 4) >> 4) | ((byte(group) >> 6) << 4);
    halves[8 * i + group] = scale | (minimum << 8);
  }
};

const readers: Readonly<Record<GgmlBlockType, BlockReader>> = {
  Q8_0: { quad: (source, at, _, q) => (source.getUint32(at + 2 + 4 * q, true) ^ 0x80808080) >>> 0, scales: half },
  Q4_0: { quad: (source, at, _, q) => nibbles(source, at + 2, q), scales: half },
  Q4_1: { quad: (source, at, _, q) => nibbles(source, at + 4, q), scales: halfMinimum },
  Q5_0: { quad: (source, at, _, q) => nibbles(source, at + 6, q) | fifths(source.getUint32(at + 2, true) >>> (4 * q)), scales: half },
  Q5_1: { quad: (source, at, _, q) => nibbles(source, at + 8, q) | fifths(source.getUint32(at + 4, true) >>> (4 * q)), scales: halfMinimum },
  Q2_K: {
    quad: (source, at, part, q) => twoBits(source, at + 16, part, q),
    scales(source, at, i, halves, supers) {
      for (let part = 0; part < 8; part++) halves[8 * i + part] = source.getUint16(at + 2 * part, true);
      supers[i] = source.getUint32(at + 80, true);
    },
  },
  Q3_K: {
    quad: (source, at, part, q) => twoBits(source, at + 32, part, q) | (((source.getUint32(at + 4 * q, true) >>> part) & 0x01010101) << 2),
    scales(source, at, i, halves, supers) {
      const scale = (group: number) => {
        const low = (source.getUint8(at + 96 + (group & 7)) >> (group < 8 ? 0 : 4)) & 15;
        const high = (source.getUint8(at + 104 + (group & 3)) >> (2 * (group >> 2))) & 3;
        return ((low | (high << 4)) - 32) & 255;
      };
      for (let part = 0; part < 8; part++) halves[8 * i + part] = scale(2 * part) | (scale(2 * part + 1) << 8);
      supers[i] = source.getUint16(at + 108, true);
    },
  },
  Q4_K: { quad: (source, at, part, q) => fourBits(source, at + 16, part, q), scales: sixBits },
  Q5_K: { quad: (source, at, part, q) => fourBits(source, at + 48, part, q) | (((source.getUint32(at + 16 + 4 * q, true) >>> part) & 0x01010101) << 4), scales: sixBits },
  Q6_K: {
    quad(source, at, part, q) {
      const low = source.getUint32(at + 64 * (part >> 2) + 32 * (part & 1) + 4 * q, true) >>> (4 * ((part >> 1) & 1));
      return (low & LOW) | (twoBits(source, at + 128, part, q) << 4);
    },
    scales(source, at, i, halves, supers) {
      for (let part = 0; part < 8; part++) halves[8 * i + part] = source.getUint16(at + 192 + 2 * part, true);
      supers[i] = source.getUint16(at + 208, true);
    },
  },
  IQ4_NL: { quad: (source, at, _, q) => nibbles(source, at + 2, q), scales: half },
  MXFP4: {
    quad: (source, at, _, q) => nibbles(source, at + 1, q),
    scales(source, at, i, halves) {
      const exponent = source.getUint8(at); // of twice the scale: the table holds twice the values
      halves[i] = exponent > 1 ? (exponent - 1) << 7 : 0x20 << exponent; // 2^-127 and 2^-128 are subnormal
    },
  },
};
