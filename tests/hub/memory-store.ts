// A cache in memory, with a quota, as the tests' stand-in for IndexedDB: values are copied on their way in and out, as there.
import type { CacheStore } from "../../src/hub/cache.ts";

export class MemoryStore implements CacheStore {
  readonly values = new Map<string, unknown>();
  readonly #quota: number;

  constructor(quota = Infinity) {
    this.#quota = quota;
  }

  async get(key: string): Promise<unknown> {
    return structuredClone(this.values.get(key));
  }

  async set(key: string, value: unknown): Promise<void> {
    const size = (item: unknown): number => (typeof item === "object" && item !== null && "bytes" in item && item.bytes instanceof ArrayBuffer ? item.bytes.byteLength : 100);
    const used = [...this.values.values()].reduce((sum: number, item) => sum + size(item), 0);
    if (used + size(value) > this.#quota) throw new DOMException("full", "QuotaExceededError");
    this.values.set(key, structuredClone(value));
  }

  async del(key: string): Promise<void> {
    this.values.delete(key);
  }

  async keys(): Promise<string[]> {
    return [...this.values.keys()];
  }
}
