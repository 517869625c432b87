// Convolutions against nested loops.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/gpu.ts";
import type { Activation } from "../../src/kernels/activation.ts";
import { conv2d } from "../../src/kernels/conv2d.ts";
import { pinGemm } from "../../src/kernels/gemm.ts";
import { read } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { activation as activationOf } from "./references.ts";
import { expectClose, type Float, random } from "./values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());

interface Case {
  images: number;
  height: number;
  width: number;
  channels: number;
  outChannels: number;
  kernel: number;
  stride: number;
  padding: number | [number, number, number, number];
  upsample: 1 | 2;
  activation: Activation;
  bias: boolean;
  channelBias: boolean;
  residual: boolean;
  activateLast?: boolean;
  types: [x: Float, weight: Float];
  seed: number;
  size: number;
}

const plain: Case = { images: 1, height: 6, width: 5, channels: 8, outChannels: 8, kernel: 3, stride: 1, padding: 1, upsample: 1, activation: "none", bias: true, channelBias: false, residual: false, types: ["f32", "f32"], seed: 3, size: 1 };

type Fixed = Pick<Case, "activation" | "bias" | "channelBias" | "residual" | "types">;

/** One pipeline each: compiling is most of the time on a GPU that the CPU plays. */
const epilogues: Fixed[] = [
  { activation: "none", bias: false, channelBias: false, residual: false, types: ["f32", "f32"] },
  { activation: "silu", bias: true, channelBias: true, residual: true, types: ["f32", "f32"] },
  ...(gpu.features.f16 ? [{ activation: "none", bias: true, channelBias: false, residual: true, types: ["f32", "f16"] }, { activation: "none", bias: true, channelBias: false, residual: false, types: ["f16", "f16"] }] satisfies Fixed[] : []),
];

const shapes = fc.record<Omit<Case, keyof Fixed>>({
  images: fc.integer({ min: 1, max: 3 }),
  height: fc.integer({ min: 3, max: 11 }),
  width: fc.integer({ min: 3, max: 11 }),
  channels: fc.integer({ min: 1, max: 20 }),
  outChannels: fc.integer({ min: 1, max: 40 }),
  kernel: fc.constantFrom(1, 3, 3, 2),
  stride: fc.constantFrom(1, 1, 2),
  padding: fc.constantFrom<Case["padding"]>(0, 1, [0, 1, 0, 1], [2, 0, 1, 3]),
  upsample: fc.constantFrom<Case["upsample"]>(1, 2),
  seed: fc.nat(),
  size: fc.constant(1),
});

/** Runs a case on a device; gives its values, after comparing them with the loops' unless told not to. */
async function run(on: Gpu, c: Case, compare = true): Promise<ArrayLike<number>> {
  const [xType, weightType] = c.types;
  const [top, bottom, left, right] = typeof c.padding === "number" ? new Array<number>(4).fill(c.padding) : c.padding;
  const height = Math.floor((c.height * c.upsample + top + bottom - c.kernel) / c.stride) + 1;
  const width = Math.floor((c.width * c.upsample + left + right - c.kernel) / c.stride) + 1;
  const x = random(on, [c.images, c.height, c.width, c.channels], xType, c.seed, c.size);
  const weight = random(on, [c.outChannels, c.kernel, c.kernel, c.channels], weightType, c.seed + 1);
  const bias = c.bias ? random(on, [c.outChannels], weightType, c.seed + 2) : undefined;
  const channelBias = c.channelBias ? random(on, [c.images, c.outChannels], xType, c.seed + 3) : undefined;
  const residual = c.residual ? random(on, [c.images, height, width, c.outChannels], xType, c.seed + 4) : undefined;
  const { stride, padding, upsample, activation, activateLast = false } = c;
  using out = conv2d(x.tensor, weight.tensor, { stride, padding, upsample, activation, activateLast, bias: bias?.tensor, channelBias: channelBias?.tensor, residual: residual?.tensor });
  for (const known of [x, weight, bias, channelBias, residual]) known?.tensor.dispose();
  expect(out.shape).toEqual([c.images, height, width, c.outChannels]);
  if (!compare) return read(out);

  const pixel = (n: number, y: number, column: number, i: number): number => {
    if (y < 0 || column < 0 || y >= c.height * c.upsample || column >= c.width * c.upsample) return 0;
    return x.values[((n * c.height + Math.floor(y / c.upsample)) * c.width + Math.floor(column / c.upsample)) * c.channels + i];
  };
  const expected: number[] = [];
  for (let n = 0; n < c.images; n++) {
    for (let y = 0; y < height; y++) {
      for (let column = 0; column < width; column++) {
        for (let o = 0; o < c.outChannels; o++) {
          let sum = (bias?.values[o] ?? 0) + (channelBias?.values[n * c.outChannels + o] ?? 0);
          for (let ky = 0; ky < c.kernel; ky++) {
            for (let kx = 0; kx < c.kernel; kx++) {
              for (let i = 0; i < c.channels; i++) {
                sum += pixel(n, y * stride + ky - top, column * stride + kx - left, i) * weight.values[((o * c.kernel + ky) * c.kernel + kx) * c.channels + i];
              }
            }
          }
          const skip = residual?.values[expected.length] ?? 0;
          expected.push(activateLast ? activationOf(activation, sum + skip) : activationOf(activation, sum) + skip);
        }
      }
    }
  }
  await expectClose(out, expected);
  return read(out);
}

describe("conv2d", () => {
  it.each(epilogues)("equals the loops for all kernels, strides and paddings: $activation, bias $bias, channelBias $channelBias, residual $residual, $types", async (fixed) => {
    await fc.assert(fc.asyncProperty(shapes, (shape) => run(gpu, { ...shape, ...fixed }).then(() => {})), { numRuns: 15 });
  });

  it.each<[string, Partial<Case>]>([
    ["3×3, few channels in", { channels: 4, outChannels: 40, height: 16, width: 16 }],
    ["3×3, few channels out", { channels: 40, outChannels: 3, height: 16, width: 16 }],
    ["3×3, many pixels", { channels: 16, outChannels: 24, height: 33, width: 30 }],
    ["3×3, low resolution and many channels", { images: 2, channels: 132, outChannels: 68, height: 8, width: 8 }],
    ["3×3, channels no multiple of 4", { channels: 30, outChannels: 34, height: 9, width: 9 }],
    ["1×1", { kernel: 1, padding: 0, channels: 36, outChannels: 50, height: 9, width: 9 }],
    ["diffusers' downsampler", { stride: 2, padding: [0, 1, 0, 1], channels: 32, outChannels: 32, height: 12, width: 12 }],
    ["the activation last", { residual: true, activation: "relu", activateLast: true }],
    ["the upsampler", { upsample: 2, channels: 32, outChannels: 32, height: 7, width: 9 }],
  ])("equals them: %s", async (_, change) => {
    await run(gpu, { ...plain, ...change });
  });

  it("equals them with the terms split over workgroups", { timeout: 240_000 }, async () => {
    const pinned = await testGpu();
    pinGemm(pinned, "medium", 3);
    await run(pinned, { ...plain, ...{ channels: 20, outChannels: 36, images: 2, channelBias: true, residual: true, activation: "silu" } });
    pinned.destroy();
  });

  it.each(["alone", "thin"] as const)("equals them in variant %s", { timeout: 240_000 }, async (variant) => {
    const pinned = await testGpu();
    pinGemm(pinned, variant);
    for (const change of [{ channels: 20, outChannels: 36, images: 2 }, { height: 17, width: 9, outChannels: 70 }]) await run(pinned, { ...plain, ...change });
    pinned.destroy();
  });

  it("sums values near 1e5", () => run(gpu, { ...plain, size: 1e5 }).then(() => {}));

  it("gives the same in bands of rows", async () => {
    const small = await testGpu({ limits: { maxStorageBufferBindingSize: 6144 } });
    const size = { height: 41, width: 13, channels: 4, outChannels: 5 };
    const changes: Partial<Case>[] = [{ images: 2 }, { upsample: 2 }, { stride: 2, padding: [0, 1, 0, 1] }, { kernel: 1, padding: 0, residual: true, channelBias: true, images: 2 }];
    for (const change of changes) {
      const c = { ...plain, ...size, ...change };
      expect(await run(small, c, false)).toEqual(await run(gpu, c, false));
    }
    small.destroy();
  });

  it("names what does not fit", () => {
    using x = random(gpu, [1, 4, 4, 3], "f32", 1).tensor;
    using weight = random(gpu, [8, 3, 3, 4], "f32", 1).tensor;
    using large = random(gpu, [8, 7, 7, 3], "f32", 1).tensor;
    using bias = random(gpu, [3], "f32", 1).tensor;
    expect(() => conv2d(x, weight)).toThrow("conv2d: weight expected [*, *, *, 3], got [8, 3, 3, 4]");
    expect(() => conv2d(x, large)).toThrow("conv2d: a kernel of 7 × 7 is larger than padded x [1, 4, 4, 3]");
    expect(() => conv2d(x, large, { padding: 2, bias })).toThrow("conv2d: bias expected [8], got [3]");
  });
});
