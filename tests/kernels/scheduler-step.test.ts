// The scheduler's step against its CPU reference, and a whole denoising loop of diffusers' without reading back.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { affine } from "../../src/kernels/elementwise.ts";
import { schedulerStep } from "../../src/kernels/scheduler-step.ts";
import { TorchCpuGenerator } from "../../src/random/torch-cpu.ts";
import { applyPlan, type Kept, type StepPlan } from "../../src/schedulers/plan.ts";
import { ShapeError } from "../../src/tensor/shape.ts";
import { read, type Tensor, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { floats, readRuns, scheduleOf, SIZE, worstStep } from "../schedulers/golden.ts";
import { expectClose, type Float, random } from "./values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];

const weight = fc.oneof(fc.constant(0), fc.double({ min: -3, max: 3, noNaN: true }));
const plans: fc.Arbitrary<StepPlan> = fc.record({
  denoised: fc.record({ sample: weight, model: weight, clip: fc.option(fc.double({ min: 0.1, max: 1, noNaN: true }), { nil: undefined }) }),
  next: fc.record({
    sample: weight,
    model: weight,
    denoised: weight,
    noise: fc.option(weight, { nil: undefined }),
    past: fc.array(weight, { maxLength: 3 }).map((weights) => weights.map((w, slot) => ({ slot, weight: w }))),
  }),
  keep: fc.constant([]),
});

describe.each(dtypes)("schedulerStep, model in %s", (dtype) => {
  it("equals applyPlan for any plan", async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 90 }), fc.nat(), async (plan, rows, cols, seed) => {
        const shape = [rows, cols];
        const sample = random(gpu, shape, "f32", seed, 2);
        const model = random(gpu, shape, dtype, seed + 1);
        const past = plan.next.past.map((_, k) => random(gpu, shape, k % 2 ? "f32" : dtype, seed + 2 + k));
        const noise = plan.next.noise === undefined ? undefined : random(gpu, shape, "f32", seed + 9);
        const out = schedulerStep(plan, { sample: sample.tensor, model: model.tensor, noise: noise?.tensor, past: past.map(({ tensor }) => tensor) });
        const expected = applyPlan(plan, {
          sample: Float32Array.from(sample.values),
          model: Float32Array.from(model.values),
          noise: noise && Float32Array.from(noise.values),
          past: past.map(({ values }) => Float32Array.from(values)),
        });
        await expectClose(out.denoised, expected.denoised, 2e-6);
        await expectClose(out.next, expected.next, 2e-5); // sums may cancel
        for (const { tensor } of [sample, model, ...past, ...(noise ? [noise] : [])]) tensor.dispose();
        out.next.dispose();
        out.denoised.dispose();
      }),
      { numRuns: 25 },
    );
  });
});

describe("a whole denoising loop equals diffusers' step by step, with no read-back between", () => {
  const chosen = readRuns("published").filter(({ steps, name }) => steps === 10 && name === null);
  const rungeKutta = readRuns("matrix").filter(({ config, steps }) => config.skip_prk_steps === false && steps === 9).slice(0, 1);

  it.each([...chosen, ...rungeKutta].map((run) => [`${run.config._class_name} ${run.config.timestep_spacing ?? ""}`, run] as const))("%s", async (_, run) => {
    const schedule = scheduleOf(run);
    const generator = new TorchCpuGenerator(7);
    const table = new TorchCpuGenerator(11).randn(64 * SIZE);
    const normals = () => upload(gpu, Float32Array.from(generator.randn(SIZE)), [SIZE], "f32");
    const steps: Tensor[] = [];
    {
      using scope = gpu.scope();
      const memory: Tensor[] = [];
      let sample = affine(normals(), schedule.initNoiseSigma);
      schedule.timesteps.forEach((_, i) => {
        const plan = schedule.plan(i);
        // The made-up network: 0.25 · input + table[i].
        const row = upload(gpu, table.slice(i * SIZE, (i + 1) * SIZE), [SIZE], "f32");
        const network = { denoised: { sample: 0, model: 0 }, next: { sample: 0.25 * schedule.inputScale(i), model: 1, denoised: 0, past: [] } };
        const model = schedulerStep(network, { sample, model: row }).next;
        const noise = plan.next.noise === undefined ? undefined : normals();
        const { next, denoised } = schedulerStep(plan, { sample, model, noise, past: plan.next.past.map(({ slot }) => memory[slot]) });
        const tensors: Record<Kept, Tensor> = { sample, model, denoised };
        for (const { slot, tensor } of plan.keep) memory[slot] = tensors[tensor];
        steps.push(scope.keep(next));
        sample = next;
      });
    }
    const got = new Float32Array(steps.length * SIZE);
    for (const [i, step] of steps.entries()) {
      got.set(Float32Array.from(await read(step)), i * SIZE);
      step.dispose();
    }
    expect(worstStep(got, floats(run.samples))).toBeLessThan(2e-5);
  });
});

describe("schedulerStep refuses", () => {
  const plan = (past: number, noise?: number) => ({
    denoised: { sample: 1, model: 0 },
    next: { sample: 1, model: 0, denoised: 0, noise, past: Array.from({ length: past }, () => ({ weight: 1 })) },
  });
  const x = random(gpu, [2, 3], "f32", 1).tensor;
  const other = random(gpu, [3, 2], "f32", 1).tensor;

  it.each([
    ["another shape", () => schedulerStep(plan(0), { sample: x, model: other }), "schedulerStep: model expected [2, 3], got [3, 2]"],
    ["a past tensor of another shape", () => schedulerStep(plan(1), { sample: x, model: x, past: [other] }), "tensor 0 of past and noise expected [2, 3], got [3, 2]"],
    ["missing past tensors", () => schedulerStep(plan(2), { sample: x, model: x, past: [x] }), "2 past tensors expected, got 1"],
    ["missing noise", () => schedulerStep(plan(0, 1), { sample: x, model: x }), "takes fresh noise"],
    ["needless noise", () => schedulerStep(plan(0), { sample: x, model: x, noise: x }), "takes no noise"],
    ["too many tensors", () => schedulerStep(plan(4, 1), { sample: x, model: x, noise: x, past: [x, x, x, x] }), "at most 4 past tensors and noise, got 5"],
  ])("%s", (_, launch, message) => {
    expect(launch).toThrow(ShapeError);
    expect(launch).toThrow(message);
  });
});
