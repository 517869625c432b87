// Latent consistency models: each step jumps to the image, then noises it to the next level. Luo et al. 2023.

import { cumulativeAlphas } from "./betas.ts";
import type { SchedulerConfig } from "./config.ts";
import type { Schedule, Scheduler, StepPlan } from "./plan.ts";
import { predictImage } from "./prediction.ts";
import { checkSteps } from "./spacing.ts";

const SIGMA_DATA = 0.5;

export function lcm(config: SchedulerConfig): Scheduler {
  const alphas = cumulativeAlphas(config);

  function schedule(steps: number, { strength = 1 } = {}): Schedule {
    checkSteps(steps, config, strength);
    const timesteps = lcmTimesteps(config, steps, strength);

    function plan(i: number): StepPlan {
      const t = timesteps[i];
      const scaled = t * config.timestepScaling;
      const skip = SIGMA_DATA ** 2 / (scaled ** 2 + SIGMA_DATA ** 2);
      const out = scaled / Math.sqrt(scaled ** 2 + SIGMA_DATA ** 2);
      const [alpha, sigma] = [Math.sqrt(alphas[t]), Math.sqrt(1 - alphas[t])];
      const last = i === timesteps.length - 1;
      const nextBar = last ? 1 : alphas[timesteps[i + 1]];
      const scale = Math.sqrt(nextBar);
      return {
        denoised: predictImage(config.predictionType, alpha, sigma, config.clip),
        next: {
          sample: scale * skip,
          model: 0,
          denoised: scale * out,
          noise: last ? undefined : Math.sqrt(1 - nextBar),
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
      addNoise: (i) => ({ image: Math.sqrt(alphas[timesteps[i]]), noise: Math.sqrt(1 - alphas[timesteps[i]]) }),
    };
  }

  return { schedule };
}

/** `steps` of the timesteps that the model was distilled on, evenly spaced by index, falling. */
function lcmTimesteps(config: SchedulerConfig, steps: number, strength: number): number[] {
  const original = config.originalInferenceSteps;
  if (original > config.numTrainTimesteps) {
    throw new RangeError(
      `scheduler: original_inference_steps up to ${config.numTrainTimesteps} expected, got ${original}`,
    );
  }
  const stride = Math.floor(config.numTrainTimesteps / original);
  const count = Math.floor(original * strength);
  if (steps > count) {
    throw new RangeError(
      `numInferenceSteps: up to ${count} expected (original_inference_steps ${original} × strength ${strength}), got ${steps}`,
    );
  }
  return Array.from({ length: steps }, (_, i) => (count - Math.floor(i * (count / steps))) * stride - 1);
}
