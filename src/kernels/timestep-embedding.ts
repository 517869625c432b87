// Sinusoidal embeddings of timesteps (Vaswani et al. 2017; Ho et al. 2020) and guidance scales, as diffusers rounds them.
import type { Gpu } from "../gpu/gpu.ts";
import { ShapeError } from "../tensor/shape.ts";
import { type Tensor, upload } from "../tensor/tensor.ts";

const { fround } = Math;

export interface TimestepEmbeddingOptions {
  /** Cosines first; otherwise sines first. */
  readonly flipSinToCos?: boolean;
  /** Frequencies are maxPeriod^(-i / (dim / 2 - downscaleFreqShift)). */
  readonly downscaleFreqShift?: number;
  readonly maxPeriod?: number;
}

/**
 * t of B timesteps, known on the CPU → f32 [B, dim]: sin(t·f) and cos(t·f) of dim / 2 falling frequencies, an odd dim's last column 0.
 * Computed here rather than on the GPU: it is a few hundred numbers, and WGSL's sin and cos promise nothing beyond ±π while t reaches 999.
 * Throws ShapeError.
 */
export function timestepEmbedding(gpu: Gpu, t: readonly number[], dim: number, options: TimestepEmbeddingOptions = {}): Tensor {
  return upload(gpu, timestepTable(t, dim, options), [t.length, dim], "f32");
}

/** The values of `timestepEmbedding`, row by row. */
export function timestepTable(t: readonly number[], dim: number, { flipSinToCos = false, downscaleFreqShift = 1, maxPeriod = 10_000 }: TimestepEmbeddingOptions = {}): Float32Array<ArrayBuffer> {
  const half = halfOf(dim, downscaleFreqShift);
  const exponent = (i: number) => fround(fround(-Math.log(maxPeriod)) * i) / fround(half - downscaleFreqShift);
  return sinusoids(t, dim, exponent, flipSinToCos);
}

/**
 * Guidance scales as latent consistency models are told them (Luo et al. 2023, arXiv 2310.04378): the embedding of 1000·(scale − 1),
 * whose frequencies diffusers rounds otherwise than those of timesteps. f32 [B, dim]. Throws ShapeError.
 */
export function guidanceScaleEmbedding(gpu: Gpu, scales: readonly number[], dim: number): Tensor {
  return upload(gpu, guidanceScaleTable(scales, dim), [scales.length, dim], "f32");
}

/** The values of `guidanceScaleEmbedding`, row by row. */
export function guidanceScaleTable(scales: readonly number[], dim: number): Float32Array<ArrayBuffer> {
  const step = fround(fround(Math.log(10_000)) / (halfOf(dim, 1) - 1));
  return sinusoids(scales.map((scale) => fround(scale - 1) * 1000), dim, (i) => -step * i, false);
}

function halfOf(dim: number, shift: number): number {
  const half = Math.floor(dim / 2);
  if (Number.isInteger(dim) && half >= 1 && half !== shift) return half;
  throw new ShapeError(`timestepEmbedding: dim ${dim} with downscaleFreqShift ${shift} has no frequencies`);
}

/** sin and cos of t·exp(exponent(i)), f32 at each step, as PyTorch rounds: at t = 999 the last bit of a frequency moves sin by 6e-5. */
function sinusoids(t: readonly number[], dim: number, exponent: (i: number) => number, flipSinToCos: boolean): Float32Array<ArrayBuffer> {
  const half = Math.floor(dim / 2);
  const out = new Float32Array(t.length * dim);
  const [sinAt, cosAt] = flipSinToCos ? [half, 0] : [0, half];
  for (let i = 0; i < half; i++) {
    const frequency = fround(Math.exp(fround(exponent(i))));
    t.forEach((time, row) => {
      const angle = fround(fround(time) * frequency);
      out[row * dim + sinAt + i] = Math.sin(angle);
      out[row * dim + cosAt + i] = Math.cos(angle);
    });
  }
  return out;
}
