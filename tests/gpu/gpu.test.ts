// Device, memory, scopes and the typed error, on a real device.
import { afterAll, describe, expect, it } from "vitest";
import { GpuError } from "../../src/gpu/errors.ts";
import { formatProfile, Profiler } from "../../src/gpu/profiler.ts";
import { contiguous, cast } from "../../src/kernels/copy.ts";
import { empty, read, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const counting = (n: number) => Float32Array.from({ length: n }, (_, i) => i);

describe("tensors and views", () => {
  it("uploads, views without copies, and reads", async () => {
    using x = upload(gpu, counting(24), [2, 3, 4], "f32");
    using view = x.permute(2, 0, 1).slice(0, 1, 3); // [2, 2, 3]
    expect(view.storage).toBe(x.storage);
    using copy = contiguous(view);
    expect(await read(copy)).toEqual(Float32Array.of(1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22));
  });

  it("converts to another dtype", async () => {
    using x = upload(gpu, Float32Array.of(1.5, -2, 3), [3], "f32");
    using whole = cast(x, "i32");
    expect(await read(whole)).toEqual(Int32Array.of(1, -2, 3));
  });
});

describe("memory", () => {
  it("counts what is held and returns to zero", () => {
    const before = gpu.memoryUse.live;
    const x = empty(gpu, [1000], "f32");
    const view = x.reshape([10, 100]);
    x.dispose();
    expect(gpu.memoryUse.live).toBeGreaterThanOrEqual(before + 4000);
    view.dispose();
    expect(gpu.memoryUse.live).toBe(before);
  });

  it("frees what a scope made, except what it keeps", () => {
    const before = gpu.memoryUse.live;
    const make = () => {
      using scope = gpu.scope();
      empty(gpu, [5000], "f32");
      return scope.keep(empty(gpu, [64], "f32"));
    };
    const kept = make();
    expect(gpu.memoryUse.live).toBe(before + kept.storage.capacity);
    kept.dispose();
    expect(gpu.memoryUse.live).toBe(before);
  });

  it("counts a scope's own bytes, the most and the present", () => {
    using outside = empty(gpu, [1000], "f32");
    using scope = gpu.scope();
    empty(gpu, [1024], "f32").dispose();
    empty(gpu, [64], "f32");
    expect(scope.use.peak).toBeGreaterThanOrEqual(4096);
    expect(scope.use.live).toBeGreaterThanOrEqual(256);
    expect(scope.use.live).toBeLessThanOrEqual(scope.use.peak);
    expect(outside.storage.released).toBe(false);
  });

  it("refuses scopes that close out of order or live across an await", async () => {
    const outer = gpu.scope();
    const inner = gpu.scope();
    expect(() => outer[Symbol.dispose]()).toThrow(/out of order/);
    expect(() => inner[Symbol.dispose]()).toThrow(/out of order/);
    const stale = gpu.scope();
    await Promise.resolve();
    expect(gpu.openScope).toBeNull();
    expect(() => stale[Symbol.dispose]()).toThrow(/across an await/);
  });
});

describe("profiler", () => {
  it("tells calls, time and rates of each kernel", async ({ skip }) => {
    gpu.profiler = new Profiler(gpu.device);
    using x = upload(gpu, counting(1000), [1000], "f32");
    for (let i = 0; i < 3; i++) cast(x, "i32").dispose();
    gpu.flush();
    const rows = await gpu.profiler.report();
    const { timed } = gpu.profiler;
    gpu.profiler = null;
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ kernel: "copy", calls: 3, bytes: 3 * 8000 });
    expect(formatProfile(rows)).toMatch(/kernel +calls +ms +GFLOP\/s +GB\/s\ncopy +3 /);
    if (!timed) skip("this adapter has no timestamp-query");
    expect(rows[0].ms).toBeGreaterThan(0);
  });
});

describe("errors", () => {
  it("names a lost device, and a new one works", async () => {
    const lost = await testGpu();
    using x = upload(lost, counting(4), [4], "f32");
    lost.device?.destroy();
    await expect(read(x)).rejects.toThrow(GpuError);
    const next = await testGpu();
    using y = upload(next, counting(4), [4], "f32");
    expect(await read(y)).toEqual(counting(4));
    next.destroy();
  });

  it("turns an uncaptured validation error into one that says what to do", async () => {
    const broken = await testGpu();
    broken.device?.createBuffer({ size: 16, usage: 0x3 | 0x80 });
    await expect(broken.done()).rejects.toThrow(/Run it again/);
    expect(broken.error?.kind).toBe("internal");
    broken.destroy();
  });

  it("names a buffer that is too large", () => {
    expect(() => empty(gpu.planner(), [2 ** 34], "f32")).toThrow(/allows/);
  });
});
