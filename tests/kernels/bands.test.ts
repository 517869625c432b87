// Where launches are cut: arithmetic only, on a GPU that plans.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS, Gpu } from "../../src/gpu/gpu.ts";
import { bandsOf, LAUNCH } from "../../src/kernels/bands.ts";

const features = { f16: false, subgroups: false, timestamps: false };
const gpuOf = (limit: number) => new Gpu(null, { ...DEFAULT_LIMITS, maxStorageBufferBindingSize: limit }, features);

describe("bandsOf", () => {
  it("leaves what fits in one piece", () => {
    expect(bandsOf(gpuOf(1000), "test", 10, { rowBytes: [100, 40] })).toEqual([{ start: 0, end: 10 }]);
  });

  it("covers every row once, within the limit, at aligned borders or at any where the kernel reads views", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 3 }), fc.boolean(), fc.integer({ min: 0, max: 3 }), (rows, quads, strided, halo) => {
        const rowBytes = quads.map((n) => 16 * n);
        const limit = 65536;
        const bands = bandsOf(gpuOf(limit), "test", rows, { rowBytes, strided, halo });
        expect(bands[0].start).toBe(0);
        expect(bands.at(-1)?.end).toBe(rows);
        bands.slice(1).forEach(({ start }, i) => expect(start).toBe(bands[i].end));
        for (const { start, end } of bands) {
          const bound = (end - start + (bands.length > 1 ? halo : 0)) * Math.max(...rowBytes);
          expect(bound).toBeLessThanOrEqual(limit);
          if (!strided) for (const bytes of rowBytes) expect((start * bytes) % DEFAULT_LIMITS.minStorageBufferOffsetAlignment).toBe(0);
        }
      }),
    );
  });

  it("cuts long work", () => {
    const bands = bandsOf(gpuOf(2 ** 30), "test", 100, { rowBytes: [4], rowFlops: LAUNCH.flops / 30, strided: true });
    expect(bands.map(({ start, end }) => end - start)).toEqual([30, 30, 30, 10]);
  });

  it("says what does not fit even so", () => {
    expect(() => bandsOf(gpuOf(1024), "conv2d", 9, { rowBytes: [2048] })).toThrow("conv2d: 1 rows of 2048 bytes, this device binds 1024 at once");
  });
});
