// Noise schedules: Π(1 − β) for each training timestep, in float32 as PyTorch computes it.

import type { SchedulerConfig } from "./config.ts";

export const BETA_SCHEDULES = ["linear", "scaled_linear", "squaredcos_cap_v2"] as const;
export type BetaSchedule = (typeof BETA_SCHEDULES)[number];

const f32 = Math.fround;

/** ᾱ_t = Π_{s ≤ t} (1 − β_s), [numTrainTimesteps]. Falls from nearly 1 to nearly (or exactly, with zero SNR) 0. */
export function cumulativeAlphas(config: SchedulerConfig): Float32Array {
  let betas = betasOf(config);
  if (config.rescaleBetasZeroSnr) betas = rescaleToZeroTerminalSnr(betas);
  return cumulativeProduct(betas.map((beta) => 1 - beta));
}

/** ᾱ at a timestep; −1 means the last, as in Python. Throws RangeError past the training timesteps. */
export function alphaAt(alphas: Float32Array, t: number): number {
  const alpha = alphas.at(t);
  if (alpha !== undefined) return alpha;
  throw new RangeError(`scheduler: timestep ${t} lies outside the ${alphas.length} of training; use fewer steps or a smaller steps_offset`);
}

function betasOf({ betaSchedule, betaStart, betaEnd, trainedBetas, numTrainTimesteps }: SchedulerConfig): Float32Array {
  if (trainedBetas) return Float32Array.from(trainedBetas);
  switch (betaSchedule) {
    case "linear":
      return linspace32(betaStart, betaEnd, numTrainTimesteps);
    case "scaled_linear":
      return linspace32(Math.sqrt(betaStart), Math.sqrt(betaEnd), numTrainTimesteps).map((x) => x * x);
    case "squaredcos_cap_v2": {
      // Nichol & Dhariwal 2021.
      const bar = (t: number) => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;
      const n = numTrainTimesteps;
      return Float32Array.from({ length: n }, (_, i) => Math.min(1 - bar((i + 1) / n) / bar(i / n), 0.999));
    }
  }
}

/** Shifts and scales √ᾱ so that the last step is pure noise and the first stays. Lin et al. 2024, algorithm 1. */
function rescaleToZeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeProduct(betas.map((beta) => 1 - beta)).map(Math.sqrt);
  const first = roots[0];
  const last = roots[roots.length - 1];
  const scale = f32(first / f32(first - last));
  const bars = roots.map((root) => f32(f32(root - last) * scale) ** 2);
  return bars.map((bar, i) => 1 - (i === 0 ? bar : f32(bar / bars[i - 1])));
}

/** Running product, accumulated in double precision. */
function cumulativeProduct(x: Float32Array): Float32Array {
  let product = 1;
  return x.map((value) => (product *= value));
}

/** torch.linspace in float32: the second half counts back from the end. */
function linspace32(start: number, end: number, count: number): Float32Array {
  const [first, last] = [f32(start), f32(end)];
  const step = f32(f32(last - first) / (count - 1));
  return Float32Array.from({ length: count }, (_, i) =>
    i < Math.floor(count / 2) ? first + step * i : last - step * (count - 1 - i),
  );
}
