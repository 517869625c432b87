// The cache of keys and values: it grows in steps and keeps what it holds, forgets from an end on, frees all.
import { afterAll, expect, it } from "vitest";
import { cast, copyInto } from "../../src/kernels/copy.ts";
import { KvCache } from "../../src/nn/kv-cache.ts";
import { scoped } from "../../src/nn/scoped.ts";
import { read, type Tensor, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const options = { batch: 2, layers: 1, heads: 1, headSize: 2, dtype: "f32", maxPositions: 600, rotary: [{ frequencies: Float32Array.of(1), scale: 1 }] } as const;

/** Writes tokens whose keys all are `value`. */
function append(cache: KvCache, tokens: number, value: number): void {
  cache.reserve(tokens);
  using _scope = gpu.scope();
  const { newKeys, newValues } = cache.slot(0, tokens);
  const x = upload(gpu, new Float32Array(2 * tokens * 2).fill(value), [2, tokens, 1, 2], "f32");
  copyInto(x, newKeys);
  copyInto(x, newValues);
  cache.advance(tokens);
}

const keysOf = (cache: KvCache): Tensor => scoped(gpu, () => cast(cache.slot(0, 0).keys, "f32"));

it("grows in steps, keeps what it holds, and forgets from an end on", async () => {
  const before = gpu.memoryUse.live;
  const cache = new KvCache(gpu, options);
  expect(cache.capacity).toBe(256);
  append(cache, 3, 1);
  append(cache, 255, 2);
  expect([cache.length, cache.capacity]).toEqual([258, 512]);
  expect(cache.table(0).shape).toEqual([512, 2]);
  cache.truncate(4);
  append(cache, 1, 3);
  using keys = keysOf(cache);
  expect([...(await read(keys))]).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3]);
  keys.dispose();
  expect(() => cache.reserve(596)).toThrow("cache: the model's context is 600 tokens; 5 are held and 596 more do not fit");
  cache.reserve(595);
  expect(cache.capacity).toBe(600);
  cache.dispose();
  expect(gpu.memoryUse.live).toBe(before);
});

it("outlives the scope that it grows in, and counts positions from behind the padding", () => {
  using cache = new KvCache(gpu, options);
  expect([...cache.positions(3)]).toEqual([0, 1, 2]);
  cache.pad([2, 0]);
  expect([...cache.positions(3)]).toEqual([0, 0, 0, 0, 1, 2]);
  {
    using _scope = gpu.scope();
    append(cache, 300, 1);
  }
  expect(cache.table(0).storage.released).toBe(false);
  expect([...cache.positions(2)]).toEqual([298, 299, 300, 301]);
  expect(() => new KvCache(gpu, options).pad([1])).toThrow("cache: padding expected 2 counts, got [1]");
});
