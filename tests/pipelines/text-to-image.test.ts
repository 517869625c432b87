// Text to image beside diffusers: the same folder and seed give the same pictures; nothing leaks; what is aborted stops.
import { beforeAll, describe, expect, it } from "vitest";
import { installWebGpu } from "../../src/cli/webgpu.ts";
import { leaseGpu } from "../../src/gpu/shared.ts";
import { openDirectory } from "../../src/hub/node.ts";
import { loadPipeline } from "../../src/pipelines/pipeline.ts";
import type { PipelineOptions, TextToImageOptions, TextToImagePipeline } from "../../src/pipelines/types.ts";
import { GOLDEN, golden, largestDifference, models } from "./golden.ts";

async function load(name: string, options: PipelineOptions = {}): Promise<TextToImagePipeline> {
  return loadPipeline("text-to-image", await openDirectory(GOLDEN + name), { dtype: "f32", ...options });
}

beforeAll(installWebGpu);

describe.each(models)("%s", (name) => {
  it("gives diffusers' pictures", async () => {
    const pipe = await load(name);
    for (const { call, pictures } of await golden(name)) {
      const { prompt, ...options } = call;
      const { tensor, images } = await pipe(prompt, { ...options, returnTensor: true });
      if (!tensor) throw new Error("no tensor came back");
      expect(largestDifference(tensor, pictures), JSON.stringify(call)).toBeLessThan(2e-4);
      expect(images[0].data[0]).toBe(Math.round(Math.fround(tensor[0] * 255)));
    }
    await pipe.dispose();
  });
});

describe("text to image", () => {
  const small = { numInferenceSteps: 2, seed: 1 };

  it("runs in f16 where the device has it", async ({ skip }) => {
    const { gpu, release } = await leaseGpu();
    release();
    if (!gpu.features.f16) skip("this adapter has no shader-f16");
    const pipe = await load("sd1", { dtype: "f16" });
    const [{ call, pictures }] = await golden("sd1");
    const { tensor } = await pipe(call.prompt, { ...call, returnTensor: true });
    expect(largestDifference(tensor as Float32Array, pictures)).toBeLessThan(3e-2);
    await pipe.dispose();
  });

  it("yields a step each, with previews where asked, and the time left", async () => {
    const pipe = await load("words");
    const work = pipe("red apple", { ...small, numInferenceSteps: 4, previewEvery: 2, numImagesPerPrompt: 2 });
    const steps: { step: number; total: number; previews: number }[] = [];
    for await (const { step, total, previews, secondsLeft } of work) {
      steps.push({ step, total, previews: previews?.length ?? 0 });
      expect(secondsLeft).toBeGreaterThanOrEqual(0);
    }
    expect(steps).toEqual([1, 2, 3, 4].map((step) => ({ step, total: 4, previews: step === 2 ? 2 : 0 })));
    const { images, warnings } = await work;
    expect(images.map(({ width, height, data }) => [width, height, data.length])).toEqual(new Array(2).fill([16, 16, 1024]));
    expect(images[1].recipe).toMatchObject({ prompt: "red apple", seed: "1", index: 1, count: 2, scheduler: "ddim" });
    expect(warnings).toEqual([]);
    await pipe.dispose();
  });

  it("does not grow over twenty generations, and holds nothing after dispose", async () => {
    const { gpu, release } = await leaseGpu();
    const pipe = await load("sd1");
    const totals: number[] = [];
    for (let i = 0; i < 20; i++) {
      await pipe("red apple", { ...small, seed: i, numInferenceSteps: 1 + (i % 2) });
      const { live, idle } = gpu.memoryUse;
      totals.push(live + idle);
    }
    expect(totals.at(-1)).toBe(totals[1]);
    const weights = gpu.memoryUse.live;
    expect(weights).toBe(pipe.model.memory.weights);
    await pipe.dispose();
    expect(gpu.memoryUse.live).toBe(0);
    release();
    expect(gpu.memoryUse.idle).toBe(0);
  });

  it("uses no more memory than it said it would", async () => {
    const { gpu, release } = await leaseGpu();
    gpu.trim();
    const pipe = await load("sd1");
    gpu.memory.resetPeak();
    await pipe("red apple", { ...small, width: 32, height: 24 });
    const { peak } = await pipe.plan({ width: 32, height: 24 });
    expect(gpu.memoryUse.peak).toBeLessThanOrEqual(1.1 * peak);
    await pipe.dispose();
    release();
  });

  it("stops within a step when aborted, and works again", async () => {
    const { gpu, release } = await leaseGpu();
    const pipe = await load("sd1");
    const held = gpu.memoryUse.live;
    const stop = new AbortController();
    let seen = 0;
    const iterate = async () => {
      for await (const { step } of pipe("red apple", { ...small, numInferenceSteps: 10, signal: stop.signal })) {
        seen = step;
        if (step === 3) stop.abort();
      }
    };
    await expect(iterate()).rejects.toThrow(/abort/i);
    expect(seen).toBe(3);
    expect(gpu.memoryUse.live).toBe(held);
    expect((await pipe("red apple", small)).images).toHaveLength(1);
    await pipe.dispose();
    release();
  });

  it("ends its generations when disposed", async () => {
    const pipe = await load("sd1");
    const work = Promise.resolve(pipe("red apple", { ...small, numInferenceSteps: 50 }));
    const told = expect(work).rejects.toThrow(/disposed/);
    await pipe.dispose();
    await told;
    await expect(Promise.resolve(pipe("red apple", small))).rejects.toThrow(/disposed/);
  });

  it("makes a new device after one was lost", async () => {
    const pipe = await load("sd1");
    const first = await pipe("red apple", small);
    const { gpu, release } = await leaseGpu();
    gpu.device?.destroy();
    await gpu.device?.lost;
    release();
    const again = await pipe("red apple", small);
    expect(again.images[0].data).toEqual(first.images[0].data);
    await pipe.dispose();
  });

  it("interleaves two generations without mixing them", async () => {
    const pipe = await load("sd1");
    const [a, b] = [await pipe("red apple", small), await pipe("a cat", { ...small, seed: 2 })];
    const both = await Promise.all([pipe("red apple", small), pipe("a cat", { ...small, seed: 2 })]);
    expect(both[0].images[0].data).toEqual(a.images[0].data);
    expect(both[1].images[0].data).toEqual(b.images[0].data);
    await pipe.dispose();
  });

  it("refuses bad calls by name", async () => {
    const pipe = await load("sd1");
    const call = (options: TextToImageOptions) => Promise.resolve(pipe("red apple", options));
    await expect(call({ width: 20 })).rejects.toThrow(/width: a positive multiple of 8 expected, got 20/);
    await expect(call({ numInferenceSteps: 0 })).rejects.toThrow(/numInferenceSteps/);
    await expect(call({ guidanceScale: NaN })).rejects.toThrow(/guidanceScale/);
    await expect(call({ seed: -1 })).rejects.toThrow(/seed/);
    await pipe.dispose();
  });

  it("takes the size of published folders as diffusers does: 64 latents a side where an old config says less", async () => {
    const pipe = await load("legacy");
    expect(pipe.model.defaults).toMatchObject({ width: 128, height: 128, numInferenceSteps: 50, guidanceScale: 7.5, scheduler: "pndm" });
    await pipe.dispose();
  });

  it("says what was cut from a long prompt", async () => {
    const pipe = await load("sd1");
    const { warnings } = await pipe(`${"red ".repeat(40)}cat`, small);
    expect(warnings.join()).toMatch(/cat/);
    await pipe.dispose();
  });
});
