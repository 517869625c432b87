// What a network predicts (noise, velocity or the image), turned into the image and into the noise.
//
// Latents x = α·image + σ·noise with α² + σ² = 1; velocity v = α·noise − σ·image (Salimans & Ho 2022).

import type { Mix } from "./plan.ts";

export const PREDICTION_TYPES = ["epsilon", "v_prediction", "sample"] as const;
export type PredictionType = (typeof PREDICTION_TYPES)[number];

/** The least signal that is divided by; any quotient is far beyond a clip then. */
const FAINT = 1e-30;

/**
 * The image from sample and model output, to be kept within ± `clip` where there is one. Throws RangeError where pure noise
 * hides it (α = 0 with epsilon), unless the clip keeps it finite.
 */
export function predictImage(type: PredictionType, alpha: number, sigma: number, clip?: number): Mix & { clip?: number } {
  switch (type) {
    case "epsilon":
      if (alpha === 0 && clip !== undefined) return { sample: 1 / FAINT, model: -sigma / FAINT, clip };
      if (alpha === 0) {
        throw new RangeError(
          'scheduler: prediction_type "epsilon" cannot start from pure noise (zero terminal SNR); ' +
            'use timestep_spacing "leading", or rescale_betas_zero_snr false',
        );
      }
      return { sample: 1 / alpha, model: -sigma / alpha, clip };
    case "v_prediction":
      return { sample: alpha, model: -sigma, clip };
    case "sample":
      return { sample: 0, model: 1, clip };
  }
}

/** The noise from sample and model output. */
export function predictNoise(type: PredictionType, alpha: number, sigma: number): Mix {
  switch (type) {
    case "epsilon":
      return { sample: 0, model: 1 };
    case "v_prediction":
      return { sample: sigma, model: alpha };
    case "sample":
      return { sample: 1 / sigma, model: -alpha / sigma };
  }
}
