// PNDM: DDIM's step on a noise estimate drawn from several evaluations of the network. Liu et al. 2022.
//
// With skip_prk_steps (Stable Diffusion) a linear multistep method starts at once and evaluates its first step twice;
// otherwise three Runge–Kutta steps of four evaluations each come first.

import { alphaAt, cumulativeAlphas } from "./betas.ts";
import type { SchedulerConfig } from "./config.ts";
import type { Schedule, Scheduler, StepPlan } from "./plan.ts";
import { predictImage, predictNoise } from "./prediction.ts";
import { checkSteps, roundHalfEven, skippedSteps, spacedTimesteps } from "./spacing.ts";

/** Adams–Bashforth weights, newest estimate first. */
const MULTISTEP = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]];

// Memory: slots 0 … 2 hold the last three estimates in turn, the others what a step of several evaluations needs.
const START = 3; // the sample that the step starts from
const SECOND = 4; // its second evaluation
const THIRD = 5;

type Keep = StepPlan["keep"];

/** The noise estimate that a step uses: weights of the newest evaluation and of remembered ones. */
interface Estimate {
  model: number;
  past: { slot: number; weight: number }[];
}

export function pndm(config: SchedulerConfig): Scheduler {
  const alphas = cumulativeAlphas(config);
  const finalAlpha = config.setAlphaToOne ? 1 : alphas[0];

  /** DDIM's step from t to `to`, on an estimate; from the remembered sample where `fromStart`. Equation 9. */
  function transfer(t: number, to: number, { model, past }: Estimate, fromStart: boolean): StepPlan["next"] {
    const bar = alphaAt(alphas, t);
    const nextBar = to >= 0 ? alphaAt(alphas, to) : finalAlpha;
    const noise = predictNoise(config.predictionType, Math.sqrt(bar), Math.sqrt(1 - bar));
    const factor = (bar - nextBar) / (bar * Math.sqrt(1 - nextBar) + Math.sqrt(bar * (1 - bar) * nextBar));
    const sample = Math.sqrt(nextBar / bar) + factor * noise.sample;
    const scale = factor * noise.model;
    const remembered = past.map(({ slot, weight }) => ({ slot, weight: scale * weight }));
    return {
      sample: fromStart ? 0 : sample,
      model: scale * model,
      denoised: 0,
      past: fromStart ? [{ slot: START, weight: sample }, ...remembered] : remembered,
    };
  }

  function schedule(steps: number, { strength = 1 } = {}): Schedule {
    checkSteps(steps, config, strength);
    const stride = Math.floor(config.numTrainTimesteps / steps);
    const spaced = spacedTimesteps(config, steps).map(roundHalfEven);
    const { timesteps, rungeKutta } = config.skipPrkSteps
      ? multistepTimesteps(spaced, skippedSteps(steps, strength))
      : rungeKuttaTimesteps(spaced, stride, strength);

    /** One of four evaluations of a Runge–Kutta step: at its start, twice half-way, at its end. */
    function rungeKuttaStep(i: number): { next: StepPlan["next"]; keep: Keep } {
      const part = i % 4;
      const newest = Math.floor(i / 4) % 3;
      const to = i % 2 ? timesteps[i] : timesteps[i] - Math.floor(stride / 2);
      const past = [{ slot: newest, weight: 1 / 6 }, { slot: SECOND, weight: 1 / 3 }, { slot: THIRD, weight: 1 / 3 }];
      const estimate = part === 3 ? { model: 1 / 6, past } : { model: 1, past: [] };
      const keep: Keep[] = [
        [{ slot: START, tensor: "sample" }, { slot: newest, tensor: "model" }],
        [{ slot: SECOND, tensor: "model" }],
        [{ slot: THIRD, tensor: "model" }],
        [],
      ];
      return { next: transfer(timesteps[i - part], to, estimate, part > 0), keep: keep[part] };
    }

    function multistep(i: number): { next: StepPlan["next"]; keep: Keep } {
      const t = timesteps[i];
      if (rungeKutta === 0 && i === 1) {
        // The first step again, on the mean of the estimates at its two ends.
        const mean = { model: 1 / 2, past: [{ slot: 0, weight: 1 / 2 }] };
        return { next: transfer(t + stride, t, mean, true), keep: [] };
      }
      const count = rungeKutta > 0 ? i - rungeKutta + 3 : Math.max(i - 1, 0); // estimates before this one
      const [model, ...weights] = MULTISTEP[Math.min(count, 3)];
      const past = weights.map((weight, k) => ({ slot: (count - 1 - k) % 3, weight }));
      const keep: Keep = [{ slot: count % 3, tensor: "model" }];
      const first: Keep = rungeKutta === 0 && i === 0 ? [{ slot: START, tensor: "sample" }] : [];
      return { next: transfer(t, t - stride, { model, past }, false), keep: [...keep, ...first] };
    }

    return {
      timesteps,
      initNoiseSigma: 1,
      slots: rungeKutta > 0 ? 6 : 4,
      inputScale: () => 1,
      plan(i) {
        const bar = alphaAt(alphas, timesteps[i]);
        const denoised = predictImage(config.predictionType, Math.sqrt(bar), Math.sqrt(1 - bar));
        return { denoised, ...(i < rungeKutta ? rungeKuttaStep(i) : multistep(i)) };
      },
      addNoise(i) {
        const bar = alphaAt(alphas, timesteps[i]);
        return { image: Math.sqrt(bar), noise: Math.sqrt(1 - bar) };
      },
    };
  }

  return { schedule };
}

interface Timesteps {
  timesteps: number[];
  /** How many of them, from the first, belong to Runge–Kutta steps. */
  rungeKutta: number;
}

/** The second timestep comes twice. */
function multistepTimesteps(spaced: number[], skipped: number): Timesteps {
  const repeated = spaced.length > 1 ? [spaced[0], spaced[1], ...spaced.slice(1)] : spaced;
  return { timesteps: repeated.slice(skipped), rungeKutta: 0 };
}

/** Four evaluations for each of the first three timesteps: there, twice half-way to the next, and at the next. */
function rungeKuttaTimesteps(spaced: number[], stride: number, strength: number): Timesteps {
  if (spaced.length < 4) throw new RangeError(`PNDMScheduler: at least 4 steps expected with skip_prk_steps false, got ${spaced.length}`);
  if (strength < 1) throw new RangeError("PNDMScheduler: skip_prk_steps false cannot start from an image; choose another scheduler");
  const half = Math.floor(stride / 2);
  const first = [0, 1, 2].flatMap((k) => [spaced[k], spaced[k + 1] + half, spaced[k + 1] + half, spaced[k + 1]]);
  return { timesteps: [...first, ...spaced.slice(3)], rungeKutta: 12 };
}
