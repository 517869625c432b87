// Runs of diffusers' schedulers (tests/reference/schedulers.py), and the same runs by ours.
import { readFileSync } from "node:fs";
import { TorchCpuGenerator } from "../../src/random/torch-cpu.ts";
import { parseSchedulerConfig } from "../../src/schedulers/config.ts";
import { applyPlan, type Kept, type Schedule } from "../../src/schedulers/plan.ts";
import { createScheduler, type SchedulerName } from "../../src/schedulers/scheduler.ts";

export interface Run {
  config: Record<string, unknown>;
  name: SchedulerName | null;
  pipeline: boolean;
  steps: number;
  strength: number;
  eta: number;
  timesteps: number[];
  initNoiseSigma: number;
  /** [timesteps, 24] as base64. */
  samples: string;
  denoised: string | null;
}

/** Values of one tensor: latents [2, 1, 3, 4]. */
export const SIZE = 24;

export function goldenText(name: string): string {
  return readFileSync(new URL(`../reference/golden/schedulers/${name}.json`, import.meta.url), "utf8");
}

export function readRuns(name: string): Run[] {
  return parseSchedulerConfig(goldenText(name)) as Run[];
}

export function floats(base64: string): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(base64, "base64")).buffer);
}

export function title({ config, name, steps, strength, eta }: Run): string {
  const { _class_name, beta_start, beta_end, num_train_timesteps, ...rest } = config;
  return `${name ?? _class_name}, ${steps} steps${strength < 1 ? `, strength ${strength}` : ""}${eta ? `, eta ${eta}` : ""}, ${JSON.stringify(rest)}`;
}

export function scheduleOf({ config, name, pipeline, steps, strength, eta }: Run): Schedule {
  const pipelineClass = pipeline ? "StableDiffusionPipeline" : undefined;
  return createScheduler(config, { name: name ?? undefined, pipelineClass }).schedule(steps, { strength, eta });
}

/** Denoises as tests/reference/schedulers.py does; returns every step's latents and predicted image. */
export function denoise(run: Run, schedule: Schedule): { samples: Float32Array; denoised: Float32Array } {
  const generator = new TorchCpuGenerator(7);
  const tableGenerator = new TorchCpuGenerator(11);
  const flat = tableGenerator.randn(64 * SIZE);
  const table = Array.from({ length: 64 }, (_, k) => flat.subarray(k * SIZE, (k + 1) * SIZE));

  const noise = generator.randn(SIZE);
  const start = schedule.addNoise(0);
  let sample: Float32Array = noise.map((z, k) => (run.strength < 1 ? start.image * table[63][k] + start.noise * z : z * schedule.initNoiseSigma));
  const memory: Float32Array[] = [];
  const samples = new Float32Array(schedule.timesteps.length * SIZE);
  const denoised = samples.slice();
  schedule.timesteps.forEach((_, i) => {
    const scale = schedule.inputScale(i);
    const model = sample.map((x, k) => 0.25 * Math.fround(scale * x) + table[i][k]);
    const plan = schedule.plan(i);
    const fresh = plan.next.noise === undefined ? undefined : generator.randn(SIZE);
    const past = plan.next.past.map(({ slot }) => memory[slot]);
    const out = applyPlan(plan, { sample, model, noise: fresh, past });
    const tensors: Record<Kept, Float32Array> = { sample, model, denoised: out.denoised };
    for (const { slot, tensor } of plan.keep) memory[slot] = tensors[tensor];
    sample = out.next;
    samples.set(out.next, i * SIZE);
    denoised.set(out.denoised, i * SIZE);
  });
  return { samples, denoised };
}

/** The largest difference of a step relative to that step's largest value, over all steps. */
export function worstStep(got: Float32Array, want: Float32Array): number {
  let worst = got.length === want.length ? 0 : Infinity;
  for (let start = 0; start < want.length; start += SIZE) {
    const step = want.subarray(start, start + SIZE);
    const scale = Math.max(...step.map(Math.abs));
    const difference = Math.max(...step.map((w, k) => Math.abs(w - got[start + k])));
    worst = Math.max(worst, difference / scale || 0);
  }
  return worst;
}
