// One scheduler step as numbers: every scheduler here is linear in a few tensors, but for clamping the predicted image.

/** Weights of the two tensors of every step: the current latents and what the network made of them. */
export interface Mix {
  sample: number;
  model: number;
}

/** A tensor of this step that a later step needs. */
export type Kept = "sample" | "model" | "denoised";

/**
 * What step i does:
 *
 *     denoised = clamp(sample·d.sample + model·d.model, ±clip)
 *     next     = sample·n.sample + model·n.model + denoised·n.denoised + noise·n.noise + Σ memory[slot]·weight
 *
 * then memory[slot] = the named tensor of this step, for each of `keep`. A weight of 0 means the tensor is not read.
 */
export interface StepPlan {
  /** The predicted image (in latents), also what a preview shows. */
  denoised: Mix & { clip?: number };
  next: Mix & {
    denoised: number;
    /** Present: the step needs fresh standard normals, drawn now, shaped as the sample. */
    noise?: number;
    /** At most four, noise included. */
    past: readonly { slot: number; weight: number }[];
  };
  keep: readonly { slot: number; tensor: Kept }[];
}

/** The timesteps of one generation and its steps. Immutable: generations may share it and interleave. */
export interface Schedule {
  /** The timestep that the network is told at each step, falling; floats for some. */
  readonly timesteps: readonly number[];
  /** Initial latents = noise × this (for a full schedule; see `addNoise` for one that starts from an image). */
  readonly initNoiseSigma: number;
  /** How many tensors a generation keeps between steps. */
  readonly slots: number;
  /** The network's input at step i = sample × this. */
  inputScale(i: number): number;
  /** What step i does. */
  plan(i: number): StepPlan;
  /** Latents at the noise level of step i = image × `image` + noise × `noise`. */
  addNoise(i: number): { image: number; noise: number };
}

export interface ScheduleOptions {
  /** How far back to noise an image before denoising it, 0 … 1; 1 starts from noise. */
  strength?: number;
  /** DDIM only (others ignore it): 0 deterministic … 1 as noisy as DDPM. */
  eta?: number;
}

/** A noise scheduler with its configuration checked. */
export interface Scheduler {
  /** Throws RangeError where the step count (or the strength) allows no schedule. */
  schedule(steps: number, options?: ScheduleOptions): Schedule;
}

/** The tensors of a step, all of one length. */
export interface StepInputs<T> {
  sample: T;
  model: T;
  noise?: T;
  /** The memory slots that `plan.next.past` names, in its order. */
  past: readonly T[];
}

/** A step on the CPU in float32: the reference for the GPU kernel. */
export function applyPlan(
  plan: StepPlan,
  { sample, model, noise, past }: StepInputs<Float32Array>,
): { next: Float32Array; denoised: Float32Array } {
  const { denoised: d, next: n } = plan;
  if (n.noise !== undefined && noise === undefined) throw new Error("applyPlan: this step needs noise");
  const limit = d.clip ?? Infinity;
  const terms: [weight: number, x: Float32Array][] = n.past.map(({ weight }, k) => [weight, past[k]]);
  if (n.noise !== undefined && noise !== undefined) terms.push([n.noise, noise]);

  const denoised = new Float32Array(sample.length);
  const next = new Float32Array(sample.length);
  for (let i = 0; i < sample.length; i++) {
    denoised[i] = Math.min(Math.max(mix(d.sample, sample[i]) + mix(d.model, model[i]), -limit), limit);
    let sum = mix(n.sample, sample[i]) + mix(n.model, model[i]) + mix(n.denoised, denoised[i]);
    for (const [weight, x] of terms) sum += mix(weight, x[i]);
    next[i] = sum;
  }
  return { next, denoised };
}

function mix(weight: number, x: number): number {
  return weight === 0 ? 0 : Math.fround(weight) * x;
}
