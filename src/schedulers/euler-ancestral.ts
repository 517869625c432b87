// Ancestral sampling with Euler steps: step down below the next noise level, then add fresh noise up to it.

import type { SchedulerConfig } from "./config.ts";
import type { Schedule, Scheduler } from "./plan.ts";
import { eulerImage, eulerLevels, eulerSchedule } from "./euler-levels.ts";

export function eulerAncestral(config: SchedulerConfig): Scheduler {
  const levels = eulerLevels(config);
  return {
    schedule(steps, options): Schedule {
      return eulerSchedule(config, levels, steps, options, (sigma, nextSigma) => {
        const up = Math.sqrt((nextSigma ** 2 * (sigma ** 2 - nextSigma ** 2)) / sigma ** 2);
        const ratio = Math.sqrt(nextSigma ** 2 - up ** 2) / sigma;
        return {
          denoised: eulerImage(config.predictionType, sigma),
          next: { sample: ratio, model: 0, denoised: 1 - ratio, noise: up > 0 ? up : undefined, past: [] },
          keep: [],
        };
      });
    },
  };
}
