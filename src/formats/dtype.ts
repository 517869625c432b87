// Number formats of stored tensors and their exact conversion: IEEE 754 half and double, bfloat16, and the 8-bit floats
// of Micikevicius et al. 2022 (E4M3, E5M2), their FNUZ forms, and OCP's E8M0 scale.
import { FormatError } from "./errors.ts";

/** Bits per element of every type that safetensors defines. */
export const dtypeBits = {
  F64: 64, F32: 32, F16: 16, BF16: 16,
  F8_E4M3: 8, F8_E5M2: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8, F8_E8M0: 8,
  F6_E2M3: 6, F6_E3M2: 6, F4: 4, C64: 64,
  I64: 64, I32: 32, I16: 16, I8: 8, U64: 64, U32: 32, U16: 16, U8: 8, BOOL: 8,
} as const;

/** A type as safetensors names it. */
export type StoredDtype = keyof typeof dtypeBits;

/** Types that a header may hold and `decodeTo` does not read. */
const unreadable: ReadonlySet<StoredDtype> = new Set<StoredDtype>(["F6_E2M3", "F6_E3M2", "F4", "C64"]);

export function isStoredDtype(name: string): name is StoredDtype {
  return Object.hasOwn(dtypeBits, name);
}

/** Whether `decodeTo` reads the type: all but complex numbers and those smaller than a byte. */
export function isReadable(dtype: StoredDtype): boolean {
  return !unreadable.has(dtype);
}

/** What a stored tensor becomes; an f16 is a 16-bit pattern. */
export interface Decoded {
  f32: Float32Array;
  f16: Uint16Array;
}

export interface DecodedIntegers {
  i32: Int32Array;
  u32: Uint32Array;
}

/**
 * Little-endian elements of `dtype` as `to`. Exact from F16, BF16 and F8 to f32; f32 to f16 rounds to nearest, ties to even
 * (subnormals too), and overflows to infinity; F64 rounds to f32 first, as torch does.
 * The result may be a view of `bytes` where nothing changes. Throws FormatError for a partial element.
 */
export function decodeTo<T extends keyof Decoded>(dtype: StoredDtype, bytes: Uint8Array, to: T): Decoded[T];
export function decodeTo(dtype: StoredDtype, bytes: Uint8Array, to: keyof Decoded): Decoded[keyof Decoded] {
  expectWhole(dtype, bytes);
  if (to === "f32") return toFloat32(dtype, bytes);
  return dtype === "F16" ? view(Uint16Array, bytes) : float32ToFloat16(toFloat32(dtype, bytes));
}

/** The same of integers. Throws FormatError for a partial element, an integer outside the target, a type of floats. */
export function decodeIntegers<T extends keyof DecodedIntegers>(dtype: StoredDtype, bytes: Uint8Array, to: T): DecodedIntegers[T];
export function decodeIntegers(dtype: StoredDtype, bytes: Uint8Array, to: keyof DecodedIntegers): DecodedIntegers[keyof DecodedIntegers] {
  expectWhole(dtype, bytes);
  return to === "i32" ? toInteger(dtype, bytes, to, Int32Array, -0x8000_0000, 0x7fff_ffff) : toInteger(dtype, bytes, to, Uint32Array, 0, 0xffff_ffff);
}

function expectWhole(dtype: StoredDtype, bytes: Uint8Array): void {
  if (!isReadable(dtype)) throw new FormatError(`tensors of type ${dtype} are not supported: convert the checkpoint to F16 or F32`);
  const width = dtypeBits[dtype] / 8;
  if (bytes.byteLength % width !== 0) throw new FormatError(`${bytes.byteLength} bytes are no whole number of ${dtype} elements`);
}

/** f16 patterns → f32 values, exactly; every NaN becomes the same one. */
export function float16ToFloat32(half: Uint16Array): Float32Array {
  return lookUp(float16Table(), half);
}

/** f32 → f16 patterns: round to nearest, ties to even; overflow to infinity; every NaN to the quiet one with its sign. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i];
    const sign = (x >>> 16) & 0x8000;
    const magnitude = x & 0x7fff_ffff;
    if (magnitude >= 0x4780_0000) { // 2^16 and above, infinity, NaN
      out[i] = sign | (magnitude > 0x7f80_0000 ? 0x7e00 : 0x7c00);
    } else if (magnitude >= 0x3880_0000) { // normal in f16; a carry out of the mantissa rightly raises the exponent
      out[i] = sign | ((magnitude - 0x3800_0000 + 0x0fff + ((magnitude >>> 13) & 1)) >>> 13);
    } else if (magnitude >= 0x3300_0000) { // 2^-25 and above: subnormal in f16
      const shift = 126 - (magnitude >>> 23); // 14 … 24
      const mantissa = (magnitude & 0x007f_ffff) | 0x0080_0000;
      out[i] = sign | ((mantissa + (1 << (shift - 1)) - 1 + ((mantissa >>> shift) & 1)) >>> shift);
    } else {
      out[i] = sign;
    }
  }
  return out;
}

function toFloat32(dtype: StoredDtype, bytes: Uint8Array): Float32Array {
  switch (dtype) {
    case "F32": return view(Float32Array, bytes);
    case "F64": return Float32Array.from(view(Float64Array, bytes));
    case "F16": return float16ToFloat32(view(Uint16Array, bytes));
    case "BF16": {
      const stored = view(Uint16Array, bytes);
      const bits = new Uint32Array(stored.length);
      for (let i = 0; i < bits.length; i++) bits[i] = stored[i] << 16;
      return new Float32Array(bits.buffer);
    }
    case "F8_E4M3": case "F8_E5M2": case "F8_E4M3FNUZ": case "F8_E5M2FNUZ": case "F8_E8M0":
      return lookUp(float8Table(dtype), bytes);
    case "I64": case "U64": {
      const out = new Float32Array(bytes.byteLength / 8);
      integers(dtype, bytes).forEach((value, i) => {
        if (!Number.isSafeInteger(value)) throw new FormatError(`${dtype} value ${value} is too large to become f32 with one rounding`);
        out[i] = value;
      });
      return out;
    }
    default: return Float32Array.from(integers(dtype, bytes));
  }
}

function toInteger<A extends Int32Array | Uint32Array>(
  dtype: StoredDtype, bytes: Uint8Array, to: string, Target: new (length: number) => A, min: number, max: number,
): A {
  const stored = integers(dtype, bytes);
  const out = new Target(stored.length);
  for (let i = 0; i < out.length; i++) {
    const value = stored[i];
    if (!(value >= min && value <= max)) throw new FormatError(`${dtype} value ${value} does not fit ${to}`);
    out[i] = value;
  }
  return out;
}

type Numbers = Float64Array | Int32Array | Int16Array | Int8Array | Uint32Array | Uint16Array | Uint8Array;

/** The stored integers as numbers; 64-bit ones as doubles, rounded beyond 2^53 (callers refuse those). */
function integers(dtype: StoredDtype, bytes: Uint8Array): Numbers {
  switch (dtype) {
    case "I64": return Float64Array.from(view(BigInt64Array, bytes), Number);
    case "U64": return Float64Array.from(view(BigUint64Array, bytes), Number);
    case "I32": return view(Int32Array, bytes);
    case "U32": return view(Uint32Array, bytes);
    case "I16": return view(Int16Array, bytes);
    case "U16": return view(Uint16Array, bytes);
    case "I8": return view(Int8Array, bytes);
    case "U8": return bytes;
    case "BOOL": {
      const bad = bytes.find((value) => value > 1);
      if (bad !== undefined) throw new FormatError(`BOOL value ${bad}, 0 or 1 expected`);
      return bytes;
    }
    default: throw new FormatError(`${dtype} is a floating-point type and does not decode to integers`);
  }
}

interface Elements<A> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): A;
}

/** `bytes` as elements, copied only where they are not aligned. */
function view<A>(Type: Elements<A>, bytes: Uint8Array): A {
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Type(aligned.buffer, aligned.byteOffset, aligned.byteLength / Type.BYTES_PER_ELEMENT);
}

/** table[index] for each index. */
function lookUp(table: Float32Array, indices: Uint16Array | Uint8Array): Float32Array {
  const out = new Float32Array(indices.length);
  for (let i = 0; i < out.length; i++) out[i] = table[indices[i]];
  return out;
}

const tables = new Map<string, Float32Array>(); // the value of every pattern of a small float

function float16Table(): Float32Array {
  return tableOf("F16", 65_536, (pattern) => {
    const mantissa = pattern & 0x3ff;
    const infinite = (pattern & 0x7c00) === 0x7c00;
    if (infinite && mantissa !== 0) return Number.NaN;
    return infinite ? signed(pattern >> 15, Infinity) : smallFloat(pattern, 5, 10, 15);
  });
}

function float8Table(dtype: "F8_E4M3" | "F8_E5M2" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" | "F8_E8M0"): Float32Array {
  return tableOf(dtype, 256, (pattern) => {
    switch (dtype) {
      case "F8_E4M3": return (pattern & 0x7f) === 0x7f ? Number.NaN : smallFloat(pattern, 4, 3, 7);
      case "F8_E5M2":
        if ((pattern & 0x7f) > 0x7c) return Number.NaN;
        return (pattern & 0x7f) === 0x7c ? signed(pattern >> 7, Infinity) : smallFloat(pattern, 5, 2, 15);
      case "F8_E4M3FNUZ": return pattern === 0x80 ? Number.NaN : smallFloat(pattern, 4, 3, 8);
      case "F8_E5M2FNUZ": return pattern === 0x80 ? Number.NaN : smallFloat(pattern, 5, 2, 16);
      case "F8_E8M0": return pattern === 0xff ? Number.NaN : 2 ** (pattern - 127);
    }
  });
}

function tableOf(name: string, size: number, value: (pattern: number) => number): Float32Array {
  let table = tables.get(name);
  if (table === undefined) {
    table = Float32Array.from({ length: size }, (_, pattern) => value(pattern));
    tables.set(name, table);
  }
  return table;
}

/** (−1)^sign · 2^(exponent − bias) · 1.mantissa, or the subnormal 2^(1 − bias) · 0.mantissa. */
function smallFloat(pattern: number, exponentBits: number, mantissaBits: number, bias: number): number {
  const exponent = (pattern >> mantissaBits) & ((1 << exponentBits) - 1);
  const fraction = (pattern & ((1 << mantissaBits) - 1)) / (1 << mantissaBits);
  const magnitude = exponent === 0 ? 2 ** (1 - bias) * fraction : 2 ** (exponent - bias) * (1 + fraction);
  return signed(pattern >> (exponentBits + mantissaBits), magnitude);
}

function signed(negative: number, magnitude: number): number {
  return negative === 0 ? magnitude : -magnitude;
}
