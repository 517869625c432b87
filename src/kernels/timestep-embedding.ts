// Sinusoidal embedding of timesteps (Vaswani et al. 2017; Ho et al. 2020), as diffusers' get_timestep_embedding rounds it.
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
 * LCM's guidance embedding of w is this of [1000·w] with downscaleFreqShift 1. Throws ShapeError.
 */
export function timestepEmbedding(gpu: Gpu, t: readonly number[], dim: number, options: TimestepEmbeddingOptions = {}): Tensor {
  return upload(gpu, timestepTable(t, dim, options), [t.length, dim], "f32");
}

/** The values of `timestepEmbedding`, row by row. */
export function timestepTable(t: readonly number[], dim: number, { flipSinToCos = false, downscaleFreqShift = 1, maxPeriod = 10_000 }: TimestepEmbeddingOptions = {}): Float32Array<ArrayBuffer> {
  const half = Math.floor(dim / 2);
  if (!Number.isInteger(dim) || half < 1 || half === downscaleFreqShift) throw new ShapeError(`timestepEmbedding: dim ${dim} with downscaleFreqShift ${downscaleFreqShift} has no frequencies`);
  const out = new Float32Array(t.length * dim);
  // f32 at each step, as PyTorch rounds: at t = 999 the last bit of f moves sin(t·f) by 6e-5.
  const [sinAt, cosAt] = flipSinToCos ? [half, 0] : [0, half];
  for (let i = 0; i < half; i++) {
    const exponent = fround(fround(fround(-Math.log(maxPeriod)) * i) / fround(half - downscaleFreqShift));
    const frequency = fround(Math.exp(exponent));
    t.forEach((time, row) => {
      const angle = fround(fround(time) * frequency);
      out[row * dim + sinAt + i] = Math.sin(angle);
      out[row * dim + cosAt + i] = Math.cos(angle);
    });
  }
  return out;
}
