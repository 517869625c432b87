// Euler's method on the probability-flow ODE, dx/dσ = (x − image) / σ. Karras et al. 2022, algorithm 2 without churn.

import type { SchedulerConfig } from "./config.ts";
import type { Schedule, Scheduler } from "./plan.ts";
import { eulerImage, eulerLevels, eulerSchedule } from "./euler-levels.ts";

export function euler(config: SchedulerConfig): Scheduler {
  const levels = eulerLevels(config);
  return {
    schedule(steps, options): Schedule {
      return eulerSchedule(config, levels, steps, options, (sigma, nextSigma) => {
        const ratio = nextSigma / sigma;
        return {
          denoised: eulerImage(config.predictionType, sigma),
          next: { sample: ratio, model: 0, denoised: 1 - ratio, past: [] },
          keep: [],
        };
      });
    },
  };
}
