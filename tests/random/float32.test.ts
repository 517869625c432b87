// float32 fma, log, sin and cos against double precision.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fma, log, sincos } from "../../src/random/float32.ts";

const float = (options: fc.FloatConstraints) => fc.float({ noNaN: true, noDefaultInfinity: true, ...options });

/** a·b + c exactly, rounded once, with scaled big integers; for values whose bits all lie above 2^-300. */
function exactFma(a: number, b: number, c: number): number {
  const scaled = (x: number, exponent: number) => BigInt(x * 2 ** exponent);
  const sum = scaled(a, 150) * scaled(b, 150) + (scaled(c, 150) << 150n); // × 2^300
  const magnitude = sum < 0n ? -sum : sum;
  const shift = BigInt(Math.max(0, magnitude.toString(2).length - 24));
  const half = shift === 0n ? 0n : 1n << (shift - 1n);
  let mantissa = magnitude >> shift;
  const rest = magnitude - (mantissa << shift);
  if (rest > half || (rest === half && shift > 0n && (mantissa & 1n) === 1n)) mantissa += 1n;
  const rounded = Number(mantissa) * 2 ** (Number(shift) - 300);
  return sum < 0n ? -rounded : rounded;
}

describe("fma", () => {
  test("rounds once", () => {
    const number = float({ min: 2 ** -30, max: 2 ** 30 }).chain((x) => fc.constantFrom(x, -x));
    fc.assert(
      fc.property(number, number, number, (a, b, c) => {
        expect(fma(a, b, c)).toBe(exactFma(a, b, c) + 0);
      }),
      { numRuns: 2000 },
    );
  });

  test("where rounding to a double first lands halfway between two float32", () => {
    const a = 1 + 2 ** -12;
    const halfway = a * a; // 1 + 2^-11 + 2^-24
    expect(Math.fround(halfway)).toBe(1 + 2 ** -11); // to even
    expect(fma(a, a, 2 ** -70)).toBe(1 + 2 ** -11 + 2 ** -23);
    expect(fma(a, a, -(2 ** -70))).toBe(1 + 2 ** -11);
    expect(fma(a, a, 0)).toBe(1 + 2 ** -11);
  });
});

test("log is within 1e-7 of the logarithm over every uniform a generator can draw", () => {
  for (let k = 1; k <= 2 ** 24; k += k < 5000 || k > 2 ** 24 - 5000 ? 1 : 37) {
    const x = k * 2 ** -24;
    const want = Math.log(x);
    if (Math.abs(log(x) - want) > 1e-7 * Math.abs(want)) expect.fail(`log(${x}) = ${log(x)}, expected ${want}`);
  }
});

test("sincos is within 1e-7 of sine and cosine in 0 … 2π", () => {
  for (let k = 0; k <= 200_000; k++) {
    const x = Math.fround((k / 200_000) * 2 * Math.PI);
    const [sin, cos] = sincos(x);
    const error = Math.max(Math.abs(sin - Math.sin(x)), Math.abs(cos - Math.cos(x)));
    if (error > 1e-7) expect.fail(`sincos(${x}) is off by ${error}`);
  }
});
