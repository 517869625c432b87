// The turns of rotary position embeddings (Su et al. 2021, arXiv 2104.09864) as a table of cosines and sines.
import type { Gpu } from "../gpu/gpu.ts";
import { type Tensor, upload } from "../tensor/tensor.ts";

/** How far each pair of channels turns from one position to the next. */
export interface Rotary {
  /** R/2 angles in radians, for channels i and i + R/2 of a head's first R. */
  readonly frequencies: Float32Array;
  /** A factor of the turned channels (YaRN's and LongRoPE's). */
  readonly scale: number;
  /** Positions that they are made for, where these are fewer than the model's. */
  readonly reach?: number;
}

/** f32 [positions, R]: of each position from 0 on, R/2 cosines and R/2 sines. Angles are rounded to f32 before, as PyTorch has them. */
export function rotaryTable(gpu: Gpu, { frequencies, scale }: Rotary, positions: number): Tensor {
  const half = frequencies.length;
  const values = new Float32Array(positions * 2 * half);
  for (let position = 0, at = 0; position < positions; position++, at += 2 * half) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]);
      values[at + i] = scale * Math.cos(angle);
      values[at + half + i] = scale * Math.sin(angle);
    }
  }
  return upload(gpu, values, [positions, 2 * half], "f32");
}
