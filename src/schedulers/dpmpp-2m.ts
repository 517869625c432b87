// DPM-Solver++(2M): second-order multistep on the predicted image, in λ = log(α/σ). Lu et al. 2022 (arXiv 2211.01095).

import { cumulativeAlphas } from "./betas.ts";
import type { SchedulerConfig } from "./config.ts";
import type { Schedule, Scheduler, StepPlan } from "./plan.ts";
import { predictImage } from "./prediction.ts";
import {
  checkSteps,
  interpolate,
  karrasLevels,
  leadingTimesteps,
  linspace,
  noiseLevels,
  roundHalfEven,
  skippedSteps,
  timestepOfLevel,
  trailingTimesteps,
} from "./spacing.ts";

const f32 = Math.fround;

export function dpmpp2m(config: SchedulerConfig): Scheduler {
  const alphas = cumulativeAlphas(config);
  if (config.rescaleBetasZeroSnr) alphas[alphas.length - 1] = 2 ** -24; // pure noise would be λ = −∞
  const levels = noiseLevels(alphas);

  function schedule(steps: number, { strength = 1 } = {}): Schedule {
    checkSteps(steps, config, strength);
    const { timesteps, visited } = config.useKarrasSigmas
      ? karras(config, levels, steps)
      : spaced(config, alphas, levels, steps);
    const final = config.finalSigmasType === "zero" ? 0 : levels[0];
    const points = [...visited, final].map(noisePoint);
    const count = timesteps.length;
    const skipped = skippedSteps(steps, strength);

    function plan(i: number): StepPlan {
      const at = i + skipped;
      const [from, to] = [points[at], points[at + 1]];
      const steadied = config.eulerAtFinal || config.finalSigmasType === "zero" || (config.lowerOrderFinal && count < 15);
      const firstOrder = config.solverOrder === 1 || i === 0 || (at === count - 1 && steadied);
      const h = f32(to.lambda - from.lambda);
      const decay = f32(Math.exp(-h)) - 1;
      const denoised = predictImage(config.predictionType, from.alpha, from.sigma);
      const keep = config.solverOrder > 1 ? [{ slot: 0, tensor: "denoised" as const }] : [];
      const next = { sample: to.sigma / from.sigma, model: 0, denoised: -to.alpha * decay, past: [] };
      if (firstOrder) return { denoised, next, keep };

      const ratio = f32(from.lambda - points[at - 1].lambda) / h;
      const slope = config.solverType === "midpoint" ? -0.5 * to.alpha * decay : to.alpha * (decay / h + 1);
      return {
        denoised,
        next: { ...next, denoised: next.denoised + slope / ratio, past: [{ slot: 0, weight: -slope / ratio }] },
        keep,
      };
    }

    return {
      timesteps: timesteps.slice(skipped),
      initNoiseSigma: 1,
      slots: config.solverOrder > 1 ? 1 : 0,
      inputScale: () => 1,
      plan,
      addNoise: (i) => ({ image: points[i + skipped].alpha, noise: points[i + skipped].sigma }),
    };
  }

  return { schedule };
}

/** α, σ with α² + σ² = 1, and λ = log(α/σ), of a noise level σ/α; in float32 as the published code has them. */
function noisePoint(level: number): { alpha: number; sigma: number; lambda: number } {
  const ratio = f32(level);
  const alpha = f32(1 / f32(Math.sqrt(f32(f32(ratio * ratio) + 1))));
  const sigma = f32(ratio * alpha);
  return { alpha, sigma, lambda: f32(f32(Math.log(alpha)) - f32(Math.log(sigma))) };
}

interface Visited {
  timesteps: number[];
  visited: number[];
}

function spaced(config: SchedulerConfig, alphas: Float32Array, levels: Float32Array, steps: number): Visited {
  const total = config.numTrainTimesteps;
  // Timesteps noisier than λ = lambda_min_clipped are left out; −∞ leaves out none.
  const lambdas = alphas.map((bar) => f32(Math.log(f32(Math.sqrt(bar)))) - f32(Math.log(f32(Math.sqrt(f32(1 - bar))))));
  const last = total - lambdas.filter((lambda) => lambda < config.lambdaMinClipped).length;
  const timesteps = {
    linspace: () => linspace(0, last - 1, steps + 1).map(roundHalfEven).reverse().slice(0, -1),
    leading: () => leadingTimesteps(Math.floor(last / (steps + 1)), steps + 1, config.stepsOffset).slice(0, -1),
    trailing: () => trailingTimesteps(last, total / steps),
  }[config.timestepSpacing]();
  return { timesteps, visited: timesteps.map((t) => interpolate(levels, t)) };
}

function karras(config: SchedulerConfig, levels: Float32Array, steps: number): Visited {
  const visited = karrasLevels(config.sigmaMax ?? levels[levels.length - 1], config.sigmaMin ?? levels[0], steps);
  const round = config.betaSchedule === "squaredcos_cap_v2" ? Math.trunc : roundHalfEven;
  return { timesteps: visited.map((sigma) => round(timestepOfLevel(sigma, levels))), visited };
}
