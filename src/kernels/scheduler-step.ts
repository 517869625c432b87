// A noise scheduler's step: the next latents and the predicted image as weighted sums, so that nothing is read back.
import source from "/shaders/scheduler-step.wgsl?raw";
import grid from "/shaders/include/grid.wgsl?raw";
import { expectShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { defineKernel } from "./kernel.ts";

const kernel = defineKernel({ name: "scheduler-step", source, includes: [grid] });
const EXTRAS = ["extra0", "extra1", "extra2", "extra3"] as const;

/** Weights of a step; a tensor of weight 0 is not read. A scheduler's plan is one. */
export interface StepWeights {
  /** The predicted image, clamped to ± clip where there is one. */
  readonly denoised: { readonly sample: number; readonly model: number; readonly clip?: number };
  readonly next: {
    readonly sample: number;
    readonly model: number;
    readonly denoised: number;
    readonly noise?: number;
    readonly past: readonly { readonly weight: number }[];
  };
}

/** The tensors of a step, all of one shape; f32 or f16 each. */
export interface StepTensors {
  readonly sample: Tensor;
  /** What the network made of the sample, after guidance. */
  readonly model: Tensor;
  /** Fresh standard normals, where the weights ask for them. */
  readonly noise?: Tensor;
  /** Tensors of earlier steps, in the order of `weights.next.past`. At most four with the noise. */
  readonly past?: readonly Tensor[];
}

/** One step. Both results have the sample's shape and type; sums are in f32. Throws ShapeError. */
export function schedulerStep(weights: StepWeights, { sample, model, noise, past = [] }: StepTensors): { next: Tensor; denoised: Tensor } {
  expectShape("schedulerStep: model", model, sample.shape);
  if (past.length !== weights.next.past.length) throw new ShapeError(`schedulerStep: ${weights.next.past.length} past tensors expected, got ${past.length}`);
  if ((weights.next.noise === undefined) !== (noise === undefined)) {
    throw new ShapeError(`schedulerStep: this step takes ${noise ? "no" : "fresh"} noise`);
  }
  const extras = past.map((tensor, k) => ({ tensor, weight: weights.next.past[k].weight }));
  if (noise && weights.next.noise !== undefined) extras.push({ tensor: noise, weight: weights.next.noise });
  if (extras.length > EXTRAS.length) throw new ShapeError(`schedulerStep: at most ${EXTRAS.length} past tensors and noise, got ${extras.length}`);
  extras.forEach(({ tensor }, k) => expectShape(`schedulerStep: tensor ${k} of past and noise`, tensor, sample.shape));

  const next = empty(sample.gpu, sample.shape, sample.dtype);
  const denoised = empty(sample.gpu, sample.shape, sample.dtype);
  kernel.run(
    { sample, model, ...Object.fromEntries(EXTRAS.map((name, k) => [name, extras[k]?.tensor ?? sample])), next, denoised },
    {
      size: sample.size,
      denoised_sample: weights.denoised.sample,
      denoised_model: weights.denoised.model,
      clip: weights.denoised.clip ?? -1,
      next_sample: weights.next.sample,
      next_model: weights.next.model,
      next_denoised: weights.next.denoised,
      ...Object.fromEntries(EXTRAS.map((name, k) => [`next_${name}`, extras[k]?.weight ?? 0])),
    },
    [Math.ceil(sample.size / 256)],
    { flops: sample.size * (6 + 2 * extras.length) },
  );
  return { next, denoised };
}
