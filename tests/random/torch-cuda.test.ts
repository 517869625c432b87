// torch.Generator("cuda") against published values: no golden value here was made by our own code.
import { describe, expect, test } from "vitest";
import { philox4x32 } from "../../src/random/philox.ts";
import { TorchCudaGenerator, type CudaDevice } from "../../src/random/torch-cuda.ts";

const RTX_3060: CudaDevice = { multiProcessorCount: 28, maxThreadsPerMultiProcessor: 1536 };
const RTX_A4000: CudaDevice = { multiProcessorCount: 48, maxThreadsPerMultiProcessor: 1536 };
const H100: CudaDevice = { multiProcessorCount: 132, maxThreadsPerMultiProcessor: 2048 };

/** Published tensors are printed with four decimals. */
function expectPrinted(got: ArrayLike<number>, printed: readonly number[]): void {
  expect(Array.from(got, (v) => Number(v.toFixed(4)))).toEqual(printed);
}

// Random123 1.14, tests/kat_vectors, the lines "philox4x32 10".
const PI = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344] as const;
const ONES = 0xffffffff;
test.each([
  { counter: [0, 0, 0, 0], key: [0, 0], words: "6627e8d5 e169c58d bc57ac4c 9b00dbd8" },
  { counter: [ONES, ONES, ONES, ONES], key: [ONES, ONES], words: "408f276d 41c83b0e a20bc7c6 6d5451fd" },
  { counter: PI, key: [0xa4093822, 0x299f31d0], words: "d16cfe09 94fdcceb 5001e420 24126ea1" },
] as const)("philox4x32-10 known answer $words", ({ counter, key, words }) => {
  const got = philox4x32(counter, key).map((word) => word.toString(16).padStart(8, "0"));
  expect(got.join(" ")).toBe(words);
});

describe("one element a thread: the same on every GPU", () => {
  test("seed 0, to eight decimals (AUTOMATIC1111/stable-diffusion-webui, modules/rng_philox.py)", () => {
    const published = [
      -0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122, -0.32838709, -1.07454231,
      -0.36314407, -1.67105067, 2.26550497,
    ];
    const got = new TorchCudaGenerator(0).randn(12);
    published.forEach((value, i) => expect(Math.abs(got[i] - value)).toBeLessThan(2e-6));
  });

  test("seed 10 (pytorch/pytorch issue 79496)", () => {
    expectPrinted(new TorchCudaGenerator(10).randn(3), [-0.1029, 1.681, -0.2708]);
  });

  test("seed 42, three draws in a row (operator tests that log torch._foreach_sub's arguments)", () => {
    const generator = new TorchCudaGenerator(42n);
    expectPrinted(generator.randn(4), [0.194, 2.1614, -0.1721, 0.8491]);
    expectPrinted(generator.randn(4), [0.1391, -0.1082, -0.7174, 0.7566]);
    expectPrinted(generator.randn(4), [-0.5187, 1.2268, 0.6255, -0.9117]);
  });

  test("a draw within the device's threads does not depend on the device", () => {
    const small = new TorchCudaGenerator(7, RTX_3060).randn(4 * 64 * 64);
    expect(small).toEqual(new TorchCudaGenerator(7).randn(4 * 64 * 64));
  });
});

describe("several elements a thread: the GPU's thread count decides", () => {
  test("seed 42 on an RTX 3060: the last two rows of [64, 2048] (pytorch/pytorch issue 158398)", () => {
    const rows = new TorchCudaGenerator(42, RTX_3060).randn(64 * 2048);
    expectPrinted(rows.slice(62 * 2048, 62 * 2048 + 3), [0.7881, 0.8339, -1.1424]);
    expectPrinted(rows.slice(63 * 2048 - 3, 63 * 2048), [-0.6297, -1.1112, -0.4091]);
    expectPrinted(rows.slice(63 * 2048, 63 * 2048 + 3), [-1.2356, -0.4083, -0.4695]);
    expectPrinted(rows.slice(-3), [-0.4841, 1.285, -0.0282]);
  });

  test("seed 14 on an RTX A4000: the last row of [1000, 100], mean 5, variance 5 (pytorch/pytorch issue 97097)", () => {
    const last = new TorchCudaGenerator(14, RTX_A4000).randn(100_000).slice(-100);
    const scaled = Array.from(last, (v) => v * Math.sqrt(5) + 5);
    expectPrinted(scaled.slice(0, 3), [2.7337, 2.2106, 7.7815]);
    expectPrinted(scaled.slice(-3), [8.2207, 6.5395, 4.2604]);
  });

  // pytorch/pytorch issue 143086: 43 and 36 elements a thread, so several Philox calls.
  const count = 49 * 12 * 112 * 144;
  test.each([
    { name: "an A100, our default", device: undefined, end: [0.1549, -0.6797, -0.1656] },
    { name: "an H100", device: H100, end: [-0.697, -0.778, 0.3267] },
  ])("seed 1: the end of 9,483,264 normals on $name", ({ device, end }) => {
    const got = new TorchCudaGenerator(1, device).randn(count);
    expectPrinted(got.slice(0, 3), [-0.2963, 2.6764, -0.1408]);
    expectPrinted(got.slice(-3), end);
  });
});

test("a device without multiprocessors is refused", () => {
  const none: CudaDevice = { multiProcessorCount: 0, maxThreadsPerMultiProcessor: 2048 };
  expect(() => new TorchCudaGenerator(0, none)).toThrow(/torch-cuda: .*multiprocessor/);
});
