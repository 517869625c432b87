// What both Euler schedulers share: latents x = image + σ·noise, their noise levels and timesteps.

import { cumulativeAlphas } from "./betas.ts";
import type { SchedulerConfig } from "./config.ts";
import type { Mix, Schedule, ScheduleOptions, StepPlan } from "./plan.ts";
import type { PredictionType } from "./prediction.ts";
import { checkSteps, interpolate, karrasLevels, noiseLevels, skippedSteps, spacedTimesteps, timestepOfLevel } from "./spacing.ts";

/** σ per training timestep. */
export function eulerLevels(config: SchedulerConfig): Float32Array {
  const alphas = cumulativeAlphas(config);
  if (config.rescaleBetasZeroSnr) alphas[alphas.length - 1] = 2 ** -24; // pure noise would be σ = ∞
  return noiseLevels(alphas);
}

/** The image from sample and model output at noise level σ. */
export function eulerImage(type: PredictionType, sigma: number): Mix {
  switch (type) {
    case "epsilon":
      return { sample: 1, model: -sigma };
    case "v_prediction":
      return { sample: 1 / (sigma ** 2 + 1), model: -sigma / Math.sqrt(sigma ** 2 + 1) };
    case "sample":
      return { sample: 0, model: 1 };
  }
}

/** A schedule whose steps `step` plans from each noise level and the next. */
export function eulerSchedule(
  config: SchedulerConfig,
  levels: Float32Array,
  steps: number,
  { strength = 1 }: ScheduleOptions = {},
  step: (sigma: number, nextSigma: number) => StepPlan,
): Schedule {
  checkSteps(steps, config, strength);
  let timesteps = spacedTimesteps(config, steps).map(Math.fround);
  let visited = timesteps.map((t) => interpolate(levels, t));
  if (config.useKarrasSigmas) {
    visited = karrasLevels(config.sigmaMax ?? visited[0], config.sigmaMin ?? visited[visited.length - 1], steps);
    timesteps = visited.map((sigma) => Math.fround(timestepOfLevel(sigma, levels)));
  }
  const final = config.finalSigmasType === "zero" ? 0 : levels[0];
  const sigmas = [...visited, final].map(Math.fround);
  const max = Math.max(...sigmas);

  const skipped = skippedSteps(steps, strength);
  const from = sigmas.slice(skipped);
  return {
    timesteps: timesteps.slice(skipped),
    initNoiseSigma: config.timestepSpacing === "leading" ? Math.sqrt(max ** 2 + 1) : max,
    slots: 0,
    inputScale: (i) => 1 / Math.sqrt(from[i] ** 2 + 1),
    plan: (i) => step(from[i], from[i + 1]),
    addNoise: (i) => ({ image: 1, noise: from[i] }),
  };
}
