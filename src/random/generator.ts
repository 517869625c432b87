// Noise as PyTorch draws it: which generator a pipeline uses, and its draws in the layout of our tensors.

import { TorchCpuGenerator } from "./torch-cpu.ts";
import { TorchCudaGenerator, type CudaDevice } from "./torch-cuda.ts";

/** A stateful stream of standard normals. How a stream is cut into draws decides its values. */
export interface NoiseGenerator {
  /** One call of `torch.randn(count)`. */
  randn(count: number): Float32Array;
}

export const GENERATOR_KINDS = ["torch-cpu", "torch-cuda"] as const;
export type GeneratorKind = (typeof GENERATOR_KINDS)[number];

export interface GeneratorOptions {
  /** For "torch-cuda": the GPU whose stream to reproduce; an A100 unless told. */
  device?: CudaDevice;
}

/** `torch.Generator(kind).manual_seed(seed)`; seed 0 … 2^64 − 1. Throws RangeError for another seed or kind. */
export function createGenerator(
  kind: GeneratorKind,
  seed: number | bigint,
  options: GeneratorOptions = {},
): NoiseGenerator {
  switch (kind) {
    case "torch-cpu":
      return new TorchCpuGenerator(seed);
    case "torch-cuda":
      return new TorchCudaGenerator(seed, options.device);
    default:
      throw new RangeError(`generator: ${GENERATOR_KINDS.join(" or ")} expected, got ${JSON.stringify(kind)}`);
  }
}

/**
 * `torch.randn(N, C, H, W)` transposed to [N, H, W, C]. One generator draws the whole batch at once, as diffusers
 * does for one generator; a list of N generators draws one image each, as diffusers does for a list.
 */
export function latentNoise(
  generator: NoiseGenerator | readonly NoiseGenerator[],
  [batch, channels, height, width]: readonly [number, number, number, number],
): Float32Array {
  const image = channels * height * width;
  if (!isList(generator)) return channelsLast(generator.randn(batch * image), batch, channels);
  if (generator.length !== batch) {
    throw new RangeError(`latentNoise: ${batch} generators expected for ${batch} images, got ${generator.length}`);
  }
  const noise = new Float32Array(batch * image);
  generator.forEach((one, n) => noise.set(channelsLast(one.randn(image), 1, channels), n * image));
  return noise;
}

function isList(value: NoiseGenerator | readonly NoiseGenerator[]): value is readonly NoiseGenerator[] {
  return Array.isArray(value);
}

/** [N, C, pixels] → [N, pixels, C]. */
function channelsLast(x: Float32Array, batch: number, channels: number): Float32Array {
  const pixels = x.length / (batch * channels);
  const out = new Float32Array(x.length);
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < pixels; p++) {
        out[(n * pixels + p) * channels + c] = x[(n * channels + c) * pixels + p];
      }
    }
  }
  return out;
}
