// Which of the training timesteps a generation visits, and the noise levels between them; numpy's rounding throughout.

import type { SchedulerConfig } from "./config.ts";

export const TIMESTEP_SPACINGS = ["leading", "linspace", "trailing"] as const;
export type TimestepSpacing = (typeof TIMESTEP_SPACINGS)[number];

/** Rounds halves to the even neighbour. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** `count` evenly spaced numbers from start to end, both included (one: the start). */
export function linspace(start: number, end: number, count: number): number[] {
  const step = (end - start) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i > 0 && i === count - 1 ? end : i === 0 ? start : i * step + start));
}

/** Timesteps in falling order, Lin et al. 2024, table 2. "linspace" leaves fractions, the others whole numbers. */
export function spacedTimesteps(config: SchedulerConfig, steps: number): number[] {
  const total = config.numTrainTimesteps;
  switch (config.timestepSpacing) {
    case "linspace":
      return linspace(0, total - 1, steps).reverse();
    case "leading":
      return leadingTimesteps(Math.floor(total / steps), steps, config.stepsOffset);
    case "trailing":
      return trailingTimesteps(total, total / steps);
  }
}

/** 0, ratio, 2·ratio … plus an offset, in falling order. */
export function leadingTimesteps(ratio: number, steps: number, offset: number): number[] {
  return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * ratio + offset);
}

/**
 * total − 1, total − ratio − 1 … above −1. Where `ratio` is rounded so that one more step fits, there is one more, as
 * in numpy.arange and so in diffusers: its timestep, −1, then means the last one, as an index does in Python.
 */
export function trailingTimesteps(total: number, ratio: number): number[] {
  const step = total - ratio - total; // −ratio as the difference of the first two elements
  return Array.from({ length: Math.ceil(total / ratio) }, (_, i) => roundHalfEven(total + i * step) - 1);
}

/** √((1 − ᾱ) / ᾱ) per training timestep: the noise level when the image keeps its scale. */
export function noiseLevels(alphas: Float32Array): Float32Array {
  return alphas.map((alpha) => Math.sqrt(Math.fround(Math.fround(1 - alpha) / alpha)));
}

/** Linear interpolation between the values at whole numbers; constant outside. */
export function interpolate(values: Float32Array, x: number): number {
  if (x <= 0) return values[0];
  if (x >= values.length - 1) return values[values.length - 1];
  const low = Math.floor(x);
  return (values[low + 1] - values[low]) * (x - low) + values[low];
}

/** Noise levels from `max` down to `min`, evenly spaced in their seventh root. Karras et al. 2022, equation 5. */
export function karrasLevels(max: number, min: number, steps: number): number[] {
  const [from, to] = [max ** (1 / 7), min ** (1 / 7)];
  return linspace(0, 1, steps).map((ramp) => (from + ramp * (to - from)) ** 7);
}

/** The (fractional) training timestep of a noise level, linear in its logarithm. */
export function timestepOfLevel(level: number, levels: Float32Array): number {
  const logs = levels.map(Math.log);
  const log = Math.log(Math.max(level, 1e-10));
  let low = 0;
  while (low < logs.length - 2 && logs[low + 1] <= log) low++;
  const weight = Math.min(Math.max((logs[low] - log) / (logs[low] - logs[low + 1]), 0), 1);
  return (1 - weight) * low + weight * (low + 1);
}

/** Throws RangeError unless `steps` is a whole number in 1 … numTrainTimesteps and `strength` lies in 0 … 1 (0 excluded). */
export function checkSteps(steps: number, { numTrainTimesteps }: SchedulerConfig, strength: number): void {
  if (!Number.isInteger(steps) || steps < 1 || steps > numTrainTimesteps) {
    throw new RangeError(`numInferenceSteps: a whole number in 1 … ${numTrainTimesteps} expected, got ${steps}`);
  }
  if (!(strength > 0 && strength <= 1)) {
    throw new RangeError(`strength: a number above 0 and up to 1 expected, got ${strength}`);
  }
  if (Math.floor(steps * strength) < 1) {
    throw new RangeError(`strength ${strength} of ${steps} steps leaves none; raise one of them`);
  }
}

/** How many of `steps` an image noised to `strength` skips. */
export function skippedSteps(steps: number, strength: number): number {
  return steps - Math.min(Math.floor(steps * strength), steps);
}
