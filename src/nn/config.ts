// A checkpoint's config.json, read strictly: every key is either used, known not to matter, or refused by name.
import { ConfigError } from "./errors.ts";

export { ConfigError } from "./errors.ts";

export class Config {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #seen = new Set<string>();

  /** `name` is the class as its publisher calls it. Throws ConfigError unless `json` is an object. */
  constructor(readonly name: string, json: unknown) {
    if (typeof json !== "object" || json === null || Array.isArray(json)) throw new ConfigError(`${name}: the config is no JSON object`);
    this.#values = json as Readonly<Record<string, unknown>>;
  }

  /** A key's raw value; undefined where it is absent. */
  get(key: string): unknown {
    this.#seen.add(key);
    return Object.hasOwn(this.#values, key) ? this.#values[key] : undefined;
  }

  number(key: string, fallback?: number): number {
    return this.#typed(key, fallback, "a number", (value): value is number => typeof value === "number" && Number.isFinite(value));
  }

  /** A positive whole number: a size or a count. */
  count(key: string, fallback?: number): number {
    return this.#typed(key, fallback, "a positive whole number", isCount);
  }

  counts(key: string, fallback?: readonly number[]): readonly number[] {
    return this.#typed(key, fallback, "a list of positive whole numbers", (value): value is number[] => Array.isArray(value) && value.length > 0 && value.every(isCount));
  }

  /** A count, or one for each of `length` blocks. */
  countPerBlock(key: string, length: number, fallback?: number | readonly number[]): readonly number[] {
    const value = this.get(key) ?? fallback;
    const list = Array.isArray(value) ? value : new Array(length).fill(value);
    if (list.length === length && list.every(isCount)) return list;
    throw this.#unfit(key, value, `a positive whole number or ${length} of them`);
  }

  boolean(key: string, fallback?: boolean): boolean {
    return this.#typed(key, fallback, "true or false", (value): value is boolean => typeof value === "boolean");
  }

  /** One of the values that are supported. */
  oneOf<const T extends string | number | boolean | null>(key: string, supported: readonly T[], fallback?: T): T {
    const value = this.get(key);
    const chosen = value === undefined ? fallback : value;
    const found = supported.find((candidate) => candidate === chosen);
    if (found !== undefined) return found;
    throw this.#unfit(key, chosen, supported.map((candidate) => JSON.stringify(candidate)).join(" or "));
  }

  /** A list of names, each of them supported. */
  listOf<const T extends string>(key: string, supported: readonly T[], fallback?: readonly T[]): readonly T[] {
    const value = this.get(key) ?? fallback;
    const named = (item: unknown): item is T => supported.some((candidate) => candidate === item);
    if (Array.isArray(value) && value.length > 0 && value.every(named)) return value;
    throw this.#unfit(key, value, `a list of ${supported.join(", ")}`);
  }

  /** Keys that do not change what the network computes. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#seen.add(key);
  }

  /** Refuses keys nobody asked for, unless they are off (null, false) or the publisher's own notes (`_class_name` and the like). */
  finish(): void {
    for (const [key, value] of Object.entries(this.#values)) {
      if (this.#seen.has(key) || key.startsWith("_") || value === null || value === false) continue;
      throw new ConfigError(`${this.name}: config key "${key}" (${JSON.stringify(value)}) is not supported`);
    }
  }

  #typed<T>(key: string, fallback: T | undefined, expected: string, fits: (value: unknown) => value is T): T {
    const value = this.get(key) ?? fallback;
    if (fits(value)) return value;
    throw this.#unfit(key, value, expected);
  }

  #unfit(key: string, value: unknown, expected: string): ConfigError {
    return new ConfigError(`${this.name}: config key "${key}" expected ${expected}, got ${JSON.stringify(value) ?? "nothing"}`);
  }
}

const MAX_COUNT = 2 ** 20; // more of anything is a damaged file, or one made to do damage

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= MAX_COUNT;
}
