// Every scheduler, step by step, against diffusers (tests/reference/schedulers.py).
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { cumulativeAlphas } from "../../src/schedulers/betas.ts";
import { readConfig } from "../../src/schedulers/config.ts";
import { createScheduler } from "../../src/schedulers/scheduler.ts";
import { denoise, floats, goldenText, readRuns, type Run, scheduleOf, title, worstStep } from "./golden.ts";

/** Relative. Wider where float32 cancels in diffusers' own order of operations and ours keeps more digits. */
function toleranceOf({ config, name, eta }: Run): number {
  const euler = /Euler|euler/.test(name ?? String(config._class_name));
  if (euler && config.rescale_betas_zero_snr) return 1e-4; // latents × 4096, less the same again
  return eta > 0 ? 2e-5 : 1e-5; // 1 − ᾱ_t / ᾱ_(t−1) for neighbours
}

describe.each(["published", "matrix"])("%s configs", (file) => {
  test.each(readRuns(file).map((run) => [title(run), run] as const))("%s", (_, run) => {
    const schedule = scheduleOf(run);
    schedule.timesteps.forEach((t, i) => expect(Math.abs(t - run.timesteps[i]), `timestep ${i}`).toBeLessThan(1e-3));
    expect(schedule.timesteps).toHaveLength(run.timesteps.length);
    expect(Math.abs(schedule.initNoiseSigma / run.initNoiseSigma - 1)).toBeLessThan(1e-6);
    const { samples, denoised } = denoise(run, schedule);
    expect(worstStep(samples, floats(run.samples))).toBeLessThan(toleranceOf(run));
    const isLcm = /LCM|lcm/.test(run.name ?? String(run.config._class_name)); // whose "denoised" mixes in the sample
    if (run.denoised && !isLcm) expect(worstStep(denoised, floats(run.denoised))).toBeLessThan(toleranceOf(run));
  });
});

interface Grids {
  timesteps: { config: Record<string, unknown>; sha256: string }[];
  alphas: { config: Record<string, unknown>; sha256: string; last: string }[];
}
const grids: Grids = JSON.parse(goldenText("grids"));

test.each(grids.timesteps)("timesteps for 1 … 200 steps equal: $config._class_name, $config.timestep_spacing", ({ config, sha256 }) => {
  const scheduler = createScheduler(config);
  const hash = createHash("sha256");
  for (let steps = 1; steps <= 200; steps++) hash.update(new Uint8Array(Float32Array.from(scheduler.schedule(steps).timesteps).buffer));
  expect(hash.digest("hex")).toBe(sha256);
});

test.each(grids.alphas)("Π(1 − β) equals PyTorch's: $config", ({ config, sha256, last }) => {
  const alphas = cumulativeAlphas(readConfig("DDIMScheduler", config));
  if (!config.rescale_betas_zero_snr) {
    expect(createHash("sha256").update(new Uint8Array(alphas.buffer)).digest("hex")).toBe(sha256);
    return;
  }
  // PyTorch's vectorised square root is not always correctly rounded, and the last values are differences of such roots.
  const want = floats(last);
  alphas.slice(-32).forEach((alpha, i) => expect(Math.abs(alpha - want[i])).toBeLessThanOrEqual(1e-4 * want[i]));
});
