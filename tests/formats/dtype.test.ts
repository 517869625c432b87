// Stored number formats: every pattern of the small floats as torch reads it (tests/reference/formats.py), and rounding to
// f16 checked from its definition: the nearest, and the even one half-way.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { type Decoded, decodeIntegers, decodeTo, float16ToFloat32, float32ToFloat16, type StoredDtype } from "../../src/formats/dtype.ts";
import { Checkpoint } from "../../src/formats/safetensors.ts";

const golden = await Checkpoint.open(bytesSource("dtypes.safetensors", new Uint8Array(readFileSync(new URL("../reference/golden/formats/dtypes.safetensors", import.meta.url)))));

async function bytesOf(name: string): Promise<Uint8Array> {
  for await (const chunk of golden.stream(name)) return chunk;
  throw new Error(`${name} is empty`);
}

async function decoded<T extends keyof Decoded>(name: string, to: T): Promise<Decoded[T]> {
  return decodeTo(golden.tensors.get(name)?.dtype ?? "F32", await bytesOf(name), to);
}

const every16 = Uint16Array.from({ length: 65_536 }, (_, i) => i);
const every8 = Uint8Array.from({ length: 256 }, (_, i) => i);
const bytes = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Where two lists differ: much faster than toEqual on long ones. */
function differences(got: ArrayLike<number>, expected: ArrayLike<number>): [at: number, got: number, expected: number][] {
  expect(got.length).toBe(expected.length);
  return Array.from(got, (value, i): [number, number, number] => [i, value, expected[i]]).filter(([, a, b]) => a !== b);
}

describe("to f32", () => {
  test.each<StoredDtype>(["F16", "BF16"])("all 65,536 patterns of %s as torch", (dtype) => {
    const values = decodeTo(dtype, bytes(every16), "f32").slice();
    const bits = new Uint32Array(values.buffer);
    values.forEach((value, i) => { if (Number.isNaN(value)) bits[i] = 0x7fc0_0000; });
    expect(createHash("sha256").update(bits).digest("hex")).toBe(golden.metadata[`${dtype}.sha256`]);
  });

  test.each<StoredDtype>(["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0"])("all 256 patterns of %s as torch", async (dtype) => {
    const expected = await decoded(`${dtype}.f32`, "f32");
    decodeTo(dtype, every8, "f32").forEach((value, i) => expect(value, `pattern ${i}`).toBe(expected[i])); // tells −0 from 0
  });

  test.each<StoredDtype>(["F64", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"])("%s as safetensors stores it", async (dtype) => {
    expect(golden.tensors.get(`${dtype}.stored`)).toMatchObject({ dtype, shape: [2, 3] });
    expect(await decoded(`${dtype}.stored`, "f32")).toEqual(await decoded(`${dtype}.f32`, "f32"));
  });

  test("doubles round once to f32, and on to f16, as in torch", async () => {
    expect(await decoded("doubles", "f32")).toEqual(await decoded("doubles.f32", "f32"));
    expect([...(await decoded("doubles", "f16"))]).toEqual([...new Uint16Array((await bytesOf("doubles.f16")).slice().buffer)]);
  });

  test("bytes that are not aligned are read just so", () => {
    const shifted = new Uint8Array(9);
    shifted.set(bytes(new Float32Array([1.5, -2])), 1);
    expect([...decodeTo("F32", shifted.subarray(1), "f32")]).toEqual([1.5, -2]);
  });
});

describe("f32 to f16", () => {
  const values = float16ToFloat32(every16); // value of each pattern

  test("every f16 comes back, a NaN as NaN", () => {
    expect(differences(float32ToFloat16(values), every16.map((pattern, i) => (Number.isNaN(values[i]) ? 0x7e00 : pattern)))).toEqual([]);
    expect([...float32ToFloat16(new Float32Array(Uint32Array.of(0xffc0_0000, 0x7f80_0001).buffer))]).toEqual([0xfe00, 0x7e00]);
  });

  test("between two neighbours the nearest, half-way the even one, subnormals included", () => {
    const f32 = new Float32Array(1);
    const neighbour = (value: number, step: 1 | -1): number => { // away from zero or towards it
      f32[0] = value;
      new Uint32Array(f32.buffer)[0] += step;
      return f32[0];
    };
    const inputs: number[] = [];
    const expected: number[] = [];
    for (let lower = 0; lower < 0x7bff; lower++) { // positive finite, each with the next above it
      const half = (values[lower] + values[lower + 1]) / 2; // exact in f32
      const [down, even, up] = [lower, lower + (lower & 1), lower + 1];
      inputs.push(neighbour(half, -1), half, neighbour(half, 1), -neighbour(half, -1), -half, -neighbour(half, 1));
      expected.push(down, even, up, down | 0x8000, even | 0x8000, up | 0x8000);
    }
    expect(differences(float32ToFloat16(Float32Array.from(inputs)), expected)).toEqual([]);
  });

  test("beyond the largest it is infinity, from half-way on", () => {
    expect([...float32ToFloat16(Float32Array.of(65504, 65519.996, 65520, 1e10, Infinity, -65520))]).toEqual([0x7bff, 0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00]);
    expect([...float32ToFloat16(Float32Array.of(2 ** -25, 2 ** -25 * 1.0001, 1e-45, -1e-45))]).toEqual([0, 1, 0, 0x8000]);
  });
});

describe("integers", () => {
  test("64-bit ones fit or are refused", () => {
    expect([...decodeIntegers("I64", bytes(BigInt64Array.of(-5n, 2n ** 31n - 1n)), "i32")]).toEqual([-5, 2 ** 31 - 1]);
    expect([...decodeIntegers("U64", bytes(BigUint64Array.of(2n ** 32n - 1n)), "u32")]).toEqual([2 ** 32 - 1]);
    expect(() => decodeIntegers("I64", bytes(BigInt64Array.of(2n ** 31n)), "i32")).toThrow("I64 value 2147483648 does not fit i32");
    expect(() => decodeIntegers("I32", bytes(Int32Array.of(-1)), "u32")).toThrow("I32 value -1 does not fit u32");
    expect(() => decodeTo("I64", bytes(BigInt64Array.of(2n ** 60n)), "f32")).toThrow("too large");
  });

  test("other refusals say what was found", () => {
    expect(() => decodeIntegers("F16", bytes(new Uint16Array(1)), "i32")).toThrow("F16 is a floating-point type");
    expect(() => decodeTo("BOOL", Uint8Array.of(2), "f32")).toThrow("BOOL value 2");
    expect(() => decodeTo("F32", new Uint8Array(5), "f32")).toThrow("5 bytes are no whole number of F32");
    expect(() => decodeTo("F4", new Uint8Array(1), "f32")).toThrow("F4 are not supported");
  });
});
