// log, sin and cos in float32 arithmetic, rounded step by step as PyTorch's AVX2 kernels round.
//
// Cephes' single-precision polynomials (Moshier 1989) in the operation order of Pommier's and Garberoglio's
// AVX port, with a multiply and its following add fused as GCC fuses them for x86 processors with FMA. Every
// step is exact or correctly rounded, so results are the same bits on every JavaScript engine.

const f32 = Math.fround;
const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** a·b + c rounded once to float32; a, b, c are float32 values. */
export function fma(a: number, b: number, c: number): number {
  const product = a * b; // exact: 24 + 24 bits fit a double's 53
  const sum = product + c; // rounded to a double
  const rounded = f32(sum);
  const mirrored = 2 * sum - rounded;
  if (mirrored === rounded || f32(mirrored) !== mirrored) return rounded;
  // The double lies halfway between two float32: the first rounding's error decides.
  const addend = sum - product;
  const error = product - (sum - addend) + (c - addend);
  if (error > 0) return Math.max(rounded, mirrored);
  return error < 0 ? Math.min(rounded, mirrored) : rounded;
}

const SQRT_HALF = f32(0.707106781186547524);
const LN2_HIGH = f32(0.693359375);
const LN2_LOW = f32(-2.1219444e-4);
const LOG = [
  7.0376836292e-2, -1.151461031e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(f32);

/** Natural logarithm of a normal, positive float32. */
export function log(x: number): number {
  float[0] = x;
  let exponent = (bits[0] >>> 23) - 126;
  bits[0] = (bits[0] & 0x007fffff) | 0x3f000000; // the mantissa, in ½ … 1
  let m = float[0];
  if (m < SQRT_HALF) {
    exponent -= 1;
    m = f32(f32(m - 1) + m);
  } else {
    m = f32(m - 1);
  }
  const square = f32(m * m);
  let y = LOG[0];
  for (let i = 1; i < LOG.length; i++) y = fma(y, m, LOG[i]);
  y = f32(y * m);
  y = fma(y, square, f32(exponent * LN2_LOW));
  y = fma(-square, 0.5, y);
  return fma(exponent, LN2_HIGH, f32(m + y));
}

const FOUR_OVER_PI = f32(1.27323954473516);
const QUARTER_PI = [-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8].map(f32); // −π/4 in three parts
const SIN = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(f32);
const COS = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(f32);

/** [sin x, cos x] of a float32 in 0 … 8192. */
export function sincos(x: number): [sin: number, cos: number] {
  const octant = (Math.trunc(f32(x * FOUR_OVER_PI)) + 1) & ~1;
  for (const part of QUARTER_PI) x = fma(octant, part, x); // now |x| ≤ π/4
  const square = f32(x * x);

  let c = fma(fma(COS[0], square, COS[1]), square, COS[2]);
  c = f32(c * square);
  c = f32(fma(c, square, -f32(square * 0.5)) + 1);

  let s = fma(fma(SIN[0], square, SIN[1]), square, SIN[2]);
  s = fma(f32(s * square), x, x);

  const [sin, cos] = octant & 2 ? [c, s] : [s, c];
  return [octant & 4 ? -sin : sin, (octant + 2) & 4 ? -cos : cos];
}
