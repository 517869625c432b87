// The pool of GPU buffers, on a device that only counts.
import { describe, expect, it } from "vitest";
import { Memory, type Storage } from "../../src/gpu/storage.ts";

const KIB = 1024;
const counting = () => new Memory(null, 2 ** 31, () => {});

describe("recycling", () => {
  it("gives equal runs the same buffers, in whatever order they were freed", () => {
    const memory = counting();
    const run = (order: readonly number[]) => {
      const held = [64, 8, 64, 3, 64].map((size) => memory.allocate(size * KIB, "x"));
      for (const i of order) held[i].release();
      return held.map(({ id }) => id);
    };
    const first = run([0, 1, 2, 3, 4]);
    expect(run([4, 2, 0, 3, 1])).toEqual(first);
    expect(run([2, 3, 4, 1, 0])).toEqual(first);
  });

  it("takes the smallest idle buffer that fits, unless it is far too large", () => {
    const memory = counting();
    const held: readonly Storage[] = [256, 16, 64].map((size) => memory.allocate(size * KIB, "x"));
    for (const storage of held) storage.release();
    expect(memory.allocate(48 * KIB, "x").id).toBe(held[2].id);
    expect(memory.allocate(1 * KIB, "x").id).toBe(held[1].id);
    const { idle } = memory.use;
    memory.allocate(8 * KIB, "x");
    expect(memory.use.idle).toBe(idle);
  });

  it("counts every byte once", () => {
    const memory = counting();
    const a = memory.allocate(64 * KIB, "x");
    a.release();
    const b = memory.allocate(40 * KIB, "x");
    expect(memory.use).toMatchObject({ live: 64 * KIB, idle: 0, peak: 64 * KIB });
    b.release();
    memory.trim();
    expect(memory.use).toMatchObject({ live: 0, idle: 0 });
  });
});
