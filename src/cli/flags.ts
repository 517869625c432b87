// Command-line flags: parsed strictly; what is wrong is told in one line.
import { parseArgs } from "node:util";

/** A mistake in how the command was called. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** `--name value` flags by name, and `--switch` ones without a value. Throws UsageError for unknown flags, flags without a value and stray words. */
export function parseFlags<const N extends string, const S extends string = never>(args: readonly string[], names: readonly N[], switches: readonly S[] = []): Partial<Record<N, string> & Record<S, boolean>> {
  const options = Object.fromEntries([...names.map((name) => [name, { type: "string" as const }]), ...switches.map((name) => [name, { type: "boolean" as const }])]);
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
    return values as Partial<Record<N, string> & Record<S, boolean>>;
  } catch (error) {
    throw new UsageError(`${(error instanceof Error ? error.message : String(error)).replaceAll("\n", " ")} (see --help)`);
  }
}

/** A whole number of at least `min`. */
export function wholeNumber(flag: string, text: string | undefined, min: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) throw new UsageError(`--${flag} expects a whole number of at least ${min}, got "${text}"`);
  return value;
}

/** Any finite number. */
export function decimal(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new UsageError(`--${flag} expects a number, got "${text}"`);
  return value;
}

/** A seed: 0 … 2⁶⁴−1. */
export function seedNumber(flag: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text) || BigInt(text) >= 2n ** 64n) throw new UsageError(`--${flag} expects a whole number from 0 to 18446744073709551615, got "${text}"`);
  return BigInt(text);
}

/** One of the given words. */
export function oneOf<const T extends string>(flag: string, text: string | undefined, words: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const found = words.find((word) => word === text);
  if (found === undefined) throw new UsageError(`--${flag} expects ${words.join(", ")}; got "${text}"`);
  return found;
}
