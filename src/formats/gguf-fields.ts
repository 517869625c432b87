// GGUF's metadata, read strictly: typed by key, and what nobody asked for is told by name.
import { FormatError } from "./errors.ts";
import type { GgufMetadata, GgufNumbers, GgufValue } from "./gguf-header.ts";

export class GgufFields {
  readonly #seen = new Set<string>();

  /** `name` is what errors call the file. */
  constructor(readonly name: string, readonly metadata: GgufMetadata) {}

  has(key: string): boolean {
    return this.metadata.has(key);
  }

  string(key: string): string | null {
    return this.#typed(key, "a text", (value) => typeof value === "string");
  }

  boolean(key: string): boolean | null {
    return this.#typed(key, "true or false", (value) => typeof value === "boolean");
  }

  /** A number; of a list with one for each layer, the one that all of them are. An f32 as its shortest decimal: 1e-5. */
  number(key: string): number | null {
    const value = this.#get(key);
    const list = value !== undefined && isNumbers(value) ? [...value] : [value];
    const [first] = list;
    if (value === undefined) return null;
    if (typeof first !== "number" || !Number.isFinite(first)) throw this.#unfit(key, value, "a number");
    if (list.some((item) => item !== first)) throw new FormatError(`${this.name}: metadata "${key}" differs from layer to layer, which is not supported`);
    return shortest(first);
  }

  /** A number that must be there. */
  required(key: string): number {
    return this.number(key) ?? this.#missing(key);
  }

  /** A whole number above zero that must be there, or be given as `fallback`. */
  count(key: string, fallback?: number): number {
    const value = this.number(key) ?? fallback ?? this.#missing(key);
    if (!Number.isSafeInteger(value) || value <= 0) throw this.#unfit(key, value, "a whole number above zero");
    return value;
  }

  strings(key: string): readonly string[] | null {
    const value = this.#get(key);
    if (value === undefined) return null;
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    throw this.#unfit(key, value, "a list of texts");
  }

  numbers(key: string): readonly number[] | null {
    const value = this.#get(key);
    if (value === undefined) return null;
    if (!isNumbers(value) || value instanceof BigInt64Array || value instanceof BigUint64Array) throw this.#unfit(key, value, "a list of numbers");
    return [...value];
  }

  /** The value as it is; undefined where there is none. */
  raw(key: string): GgufValue | undefined {
    return this.#get(key);
  }

  /** Throws FormatError if the key has another value than those that change nothing. */
  expect(key: string, ...harmless: readonly (number | string | boolean)[]): void {
    const value = this.#get(key);
    if (value === undefined || harmless.some((item) => item === value)) return;
    throw new FormatError(`${this.name}: metadata "${key}" is ${show(value)}, which is not supported (only ${harmless.map(show).join(" or ")})`);
  }

  /** Keys that do not change what the network computes. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#seen.add(key);
  }

  /** Throws FormatError for a key below `prefix` that nobody asked for. */
  finish(prefix: string): void {
    for (const [key, value] of this.metadata) {
      if (key.startsWith(prefix) && !this.#seen.has(key)) throw new FormatError(`${this.name}: metadata "${key}" (${show(value)}) is not supported`);
    }
  }

  #get(key: string): GgufValue | undefined {
    this.#seen.add(key);
    return this.metadata.get(key);
  }

  #typed<T extends GgufValue>(key: string, expected: string, fits: (value: GgufValue) => value is GgufValue & T): T | null {
    const value = this.#get(key);
    if (value === undefined) return null;
    if (fits(value)) return value;
    throw this.#unfit(key, value, expected);
  }

  #missing(key: string): never {
    throw new FormatError(`${this.name}: metadata "${key}" is missing`);
  }

  #unfit(key: string, value: GgufValue, expected: string): FormatError {
    return new FormatError(`${this.name}: metadata "${key}" expected ${expected}, got ${show(value)}`);
  }
}

function isNumbers(value: GgufValue): value is GgufNumbers {
  return ArrayBuffer.isView(value);
}

/** The decimal with the fewest digits that is the same f32, where the value is one. */
function shortest(value: number): number {
  if (Math.fround(value) !== value) return value;
  for (let digits = 1; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return decimal;
  }
  return value;
}

/** A value for an error: short, whatever it is. */
function show(value: GgufValue): string {
  if (typeof value === "object") return `a list of ${value.length}`;
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
