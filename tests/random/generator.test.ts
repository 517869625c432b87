// createGenerator's checks and latentNoise's layout and batch streams.
import { describe, expect, test } from "vitest";
import { createGenerator, GENERATOR_KINDS, latentNoise } from "../../src/random/generator.ts";

test.each([-1, 0.5, 2 ** 53, Number.NaN, -1n, 1n << 64n])("seed %s is refused by name", (seed) => {
  for (const kind of GENERATOR_KINDS) expect(() => createGenerator(kind, seed)).toThrow(/^seed: /);
});

test("the largest seed works, and the two kinds differ", () => {
  const [cpu, cuda] = GENERATOR_KINDS.map((kind) => createGenerator(kind, (1n << 64n) - 1n).randn(16));
  expect(cpu.every(Number.isFinite) && cuda.every(Number.isFinite)).toBe(true);
  expect(cpu).not.toEqual(cuda);
});

test("torch-cpu takes the low 32 bits of a seed, torch-cuda all 64", () => {
  const first = (kind: "torch-cpu" | "torch-cuda", seed: bigint) => createGenerator(kind, seed).randn(1)[0];
  expect(first("torch-cpu", 7n + (1n << 40n))).toBe(first("torch-cpu", 7n));
  expect(first("torch-cuda", 7n + (1n << 40n))).not.toBe(first("torch-cuda", 7n));
});

describe("latentNoise", () => {
  const [batch, channels, height, width] = [2, 3, 4, 5] as const;
  const shape = [batch, channels, height, width] as const;
  const at = (x: Float32Array, n: number, c: number, p: number) => x[(n * height * width + p) * channels + c];

  test("one generator draws the batch in NCHW order", () => {
    const flat = createGenerator("torch-cpu", 3).randn(batch * channels * height * width);
    const noise = latentNoise(createGenerator("torch-cpu", 3), shape);
    for (let n = 0; n < batch; n++) {
      for (let c = 0; c < channels; c++) {
        for (let p = 0; p < height * width; p++) {
          expect(at(noise, n, c, p)).toBe(flat[(n * channels + c) * height * width + p]);
        }
      }
    }
  });

  test("a list of generators draws one image each", () => {
    const noise = latentNoise([createGenerator("torch-cpu", 3), createGenerator("torch-cpu", 4)], shape);
    const image = channels * height * width;
    const alone = (seed: number) => latentNoise(createGenerator("torch-cpu", seed), [1, channels, height, width]);
    expect(noise.slice(0, image)).toEqual(alone(3));
    expect(noise.slice(image)).toEqual(alone(4));
    expect(() => latentNoise([createGenerator("torch-cpu", 3)], shape)).toThrow(/2 generators expected .* got 1/);
  });
});
