// Configs, names, refusals, and the properties of plans that the GPU kernel relies on.
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/nn/config.ts";
import { parseSchedulerConfig } from "../../src/schedulers/config.ts";
import { applyPlan } from "../../src/schedulers/plan.ts";
import { createScheduler, SCHEDULER_NAMES, schedulerNameOf } from "../../src/schedulers/scheduler.ts";
import { readRuns, scheduleOf } from "./golden.ts";

const SD15 = { _class_name: "PNDMScheduler", beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear", skip_prk_steps: true, steps_offset: 1 };

describe("what is not supported is refused by name", () => {
  test.each([
    [{ _class_name: "DDIMScheduler", thresholding: true }, /DDIMScheduler: config key "thresholding" expected false, got true/],
    [{ _class_name: "DDIMScheduler", beta_schedule: "sigmoid" }, /"beta_schedule" expected .*"scaled_linear".*, got "sigmoid"/],
    [{ _class_name: "DDIMScheduler", future_key: 3 }, /"future_key" \(3\) is not supported/],
    [{ _class_name: "DDIMScheduler", trained_betas: [0.1] }, /"trained_betas" expected 1000 numbers/],
    [{ _class_name: "PNDMScheduler", prediction_type: "sample" }, /PNDMScheduler: config key "prediction_type"/],
    [{ _class_name: "EulerAncestralDiscreteScheduler", prediction_type: "sample" }, /"prediction_type"/],
    [{ _class_name: "EulerDiscreteScheduler", use_beta_sigmas: true }, /"use_beta_sigmas"/],
    [{ _class_name: "EulerDiscreteScheduler", timestep_type: "continuous" }, /"timestep_type" expected "discrete"/],
    [{ _class_name: "EulerDiscreteScheduler", interpolation_type: "log_linear" }, /"interpolation_type"/],
    [{ _class_name: "DPMSolverMultistepScheduler", algorithm_type: "sde-dpmsolver++" }, /"algorithm_type"/],
    [{ _class_name: "DPMSolverMultistepScheduler", solver_order: 3 }, /"solver_order" expected 1 or 2, got 3/],
    [{ _class_name: "DPMSolverMultistepScheduler", prediction_type: "flow_prediction" }, /"prediction_type"/],
    [{ _class_name: "UniPCMultistepScheduler" }, /"UniPCMultistepScheduler" is not supported; choose one of ddim, pndm/],
    [{}, /a config without _class_name is not supported/],
    [[], /no JSON object/],
  ])("%j", (config, message) => {
    const create = () => createScheduler(config);
    expect(create).toThrow(ConfigError);
    expect(create).toThrow(message);
  });

  test.each([0, 1.5, -1, 1001, Number.NaN])("%s steps", (steps) => {
    for (const name of SCHEDULER_NAMES) expect(() => createScheduler(SD15, { name }).schedule(steps)).toThrow(/^numInferenceSteps: .* expected, got/);
  });

  test.each([0, -0.1, 1.1, 0.05])("strength %s of 10 steps", (strength) => {
    for (const name of SCHEDULER_NAMES) expect(() => createScheduler(SD15, { name }).schedule(10, { strength })).toThrow(/strength/);
  });

  test("epsilon from pure noise, with the way out", () => {
    const config = { ...SD15, _class_name: "DDIMScheduler", rescale_betas_zero_snr: true, timestep_spacing: "trailing", clip_sample: false };
    expect(() => createScheduler(config).schedule(4).plan(0)).toThrow(/"epsilon" cannot start from pure noise .* use timestep_spacing "leading"/);
    const clipped = createScheduler({ ...config, clip_sample: true }).schedule(4).plan(0);
    const { denoised } = applyPlan(clipped, { sample: Float32Array.of(0.3, -0.2), model: Float32Array.of(0.1, 0.1), past: [] });
    expect([...denoised]).toEqual([1, -1]);
  });

  test("timesteps past training", () => {
    expect(() => createScheduler(SD15).schedule(1000).plan(0)).toThrow(/timestep 1000 lies outside the 1000 of training/);
  });

  test("too few steps for Runge–Kutta, too many for a distilled model", () => {
    expect(() => createScheduler({ ...SD15, skip_prk_steps: false }).schedule(3)).toThrow(/at least 4 steps expected/);
    expect(() => createScheduler({ _class_name: "LCMScheduler" }).schedule(51)).toThrow(/up to 50 expected .*, got 51/);
  });
});

test("a config names its scheduler", () => {
  expect(schedulerNameOf(SD15)).toBe("pndm");
  expect(schedulerNameOf({ _class_name: "DPMSolverMultistepScheduler" })).toBe("dpmpp-2m");
  expect(schedulerNameOf({ _class_name: "DPMSolverMultistepScheduler", use_karras_sigmas: true })).toBe("dpmpp-2m-karras");
  expect(schedulerNameOf({ _class_name: "DDPMScheduler" })).toBeNull();
  expect(() => createScheduler({ _class_name: "DDPMScheduler" })).toThrow(/"DDPMScheduler" is not supported; choose one of/);
});

test("Python's infinities are read, strings that mention them are left alone", () => {
  const text = '{"lambda_min_clipped": -Infinity, "sigma_max": Infinity, "note": "to Infinity, and beyond"}';
  expect(parseSchedulerConfig(text)).toEqual({ lambda_min_clipped: -Infinity, sigma_max: Infinity, note: "to Infinity, and beyond" });
  expect(() => parseSchedulerConfig("{")).toThrow(ConfigError);
});

test("schedules are independent: two interleaved generations get the plans they would get alone", () => {
  const scheduler = createScheduler(SD15);
  const [first, second] = [scheduler.schedule(5), scheduler.schedule(7)];
  second.plan(0);
  expect(first.plan(3)).toEqual(createScheduler(SD15).schedule(5).plan(3));
  expect(second.timesteps).toHaveLength(8);
});

test("every plan fits the kernel: at most four tensors besides sample and model, slots filled before they are read", () => {
  for (const run of readRuns("matrix")) {
    const schedule = scheduleOf(run);
    const filled = new Set<number>();
    schedule.timesteps.forEach((_, i) => {
      const { next, denoised, keep } = schedule.plan(i);
      expect(next.past.length + (next.noise === undefined ? 0 : 1)).toBeLessThanOrEqual(4);
      for (const { slot } of next.past) expect(filled.has(slot)).toBe(true);
      for (const { slot } of keep) {
        expect(slot).toBeLessThan(schedule.slots);
        filled.add(slot);
      }
      const numbers = [denoised.sample, denoised.model, next.sample, next.model, next.denoised, next.noise ?? 0, ...next.past.map(({ weight }) => weight)];
      expect(numbers.every(Number.isFinite)).toBe(true);
    });
  }
});

test("applyPlan clamps the predicted image, skips tensors of weight 0 and asks for missing noise", () => {
  const plan = { denoised: { sample: 1, model: 0, clip: 1 }, next: { sample: 0, model: 0, denoised: 2, past: [{ slot: 0, weight: 0.5 }] }, keep: [] };
  const model = Float32Array.of(Infinity, NaN, 0);
  const { next, denoised } = applyPlan(plan, { sample: Float32Array.of(-3, 0.5, 3), model, past: [Float32Array.of(1, 2, 3)] });
  expect([...denoised]).toEqual([-1, 0.5, 1]);
  expect([...next]).toEqual([-1.5, 2, 3.5]);
  const noisy = { ...plan, next: { ...plan.next, noise: 1 } };
  expect(() => applyPlan(noisy, { sample: model, model, past: [model] })).toThrow(/needs noise/);
});
