// Seeds: whole numbers in 0 … 2^64 − 1, as PyTorch's generators take them.

const LIMIT = 1n << 64n;

/** A seed as two 32-bit halves. Throws RangeError for a fraction, a negative or too large number, or an unsafe integer. */
export function splitSeed(seed: number | bigint): { low: number; high: number } {
  if (typeof seed === "number" && !Number.isSafeInteger(seed)) {
    throw new RangeError(`seed: a whole number up to 2^53 − 1 expected (pass larger ones as a bigint), got ${seed}`);
  }
  const value = BigInt(seed);
  if (value < 0n || value >= LIMIT) throw new RangeError(`seed: 0 … 2^64 − 1 expected, got ${seed}`);
  return { low: Number(value & 0xffffffffn), high: Number(value >> 32n) };
}
