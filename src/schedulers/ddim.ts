// DDIM: deterministic steps from one noise level to the next, or noisy ones with eta. Song et al. 2021.

import { alphaAt, cumulativeAlphas } from "./betas.ts";
import type { SchedulerConfig } from "./config.ts";
import type { Schedule, Scheduler, StepPlan } from "./plan.ts";
import { predictImage, predictNoise } from "./prediction.ts";
import { checkSteps, roundHalfEven, skippedSteps, spacedTimesteps } from "./spacing.ts";

export function ddim(config: SchedulerConfig): Scheduler {
  const alphas = cumulativeAlphas(config);
  const finalAlpha = config.setAlphaToOne ? 1 : alphas[0];

  function schedule(steps: number, { strength = 1, eta = 0 } = {}): Schedule {
    checkSteps(steps, config, strength);
    const timesteps = spacedTimesteps(config, steps).map(roundHalfEven).slice(skippedSteps(steps, strength));
    const stride = Math.floor(config.numTrainTimesteps / steps);

    function plan(i: number): StepPlan {
      const t = timesteps[i];
      const bar = alphaAt(alphas, t);
      const nextBar = t - stride >= 0 ? alphaAt(alphas, t - stride) : finalAlpha;
      const [alpha, sigma] = [Math.sqrt(bar), Math.sqrt(1 - bar)];
      const noise = eta * Math.sqrt(((1 - nextBar) / (1 - bar)) * (1 - bar / nextBar));
      const direction = Math.sqrt(1 - nextBar - noise ** 2);
      const epsilon = predictNoise(config.predictionType, alpha, sigma);
      return {
        denoised: predictImage(config.predictionType, alpha, sigma, config.clip),
        next: {
          sample: direction * epsilon.sample,
          model: direction * epsilon.model,
          denoised: Math.sqrt(nextBar),
          noise: noise > 0 ? noise : undefined,
          past: [],
        },
        keep: [],
      };
    }

    return {
      timesteps,
      initNoiseSigma: 1,
      slots: 0,
      inputScale: () => 1,
      plan,
      addNoise(i) {
        const bar = alphaAt(alphas, timesteps[i]);
        return { image: Math.sqrt(bar), noise: Math.sqrt(1 - bar) };
      },
    };
  }

  return { schedule };
}
