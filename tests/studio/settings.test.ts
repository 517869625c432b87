// Settings become calls, recipes become settings again, and what localStorage holds is never trusted.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isSeed } from "../../src/provenance/recipe.ts";
import { callOf, initialSettings, limits, readSettings, settingsOf, type Settings } from "../../src/studio/settings.ts";
import { fakeModel, recipeOf } from "../fake-pipeline.ts";

const settings = (changed: Partial<Settings>): Settings => ({ ...initialSettings, ...changed });

describe("a call", () => {
  test("the style follows the prompt", () => {
    expect(callOf(settings({ prompt: " red apple ", style: "3d" })).prompt).toBe("red apple, 3d");
    expect(callOf(settings({ prompt: "red apple" })).prompt).toBe("red apple");
  });

  test("a fixed seed is kept, all 64 bits of it", () => {
    const { options, seed } = callOf(settings({ prompt: "x", seedMode: "fixed", seed: "18446744073709551615" }));
    expect(options.seed).toBe(2n ** 64n - 1n);
    expect(seed).toBe("18446744073709551615");
  });

  test("a random seed is another one each time, whatever the field shows", () => {
    const seeds = Array.from({ length: 20 }, () => callOf(settings({ prompt: "x", seed: "5" })).seed);
    expect(new Set(seeds).size).toBeGreaterThan(15);
    expect(seeds.every(isSeed)).toBe(true);
  });

  test("what is not set is the model's own", () => {
    const { options } = callOf(settings({ prompt: "x" }));
    expect([options.numInferenceSteps, options.guidanceScale, options.scheduler, options.width]).toEqual([undefined, undefined, undefined, undefined]);
    expect(options.previewEvery).toBe(1);
  });
});

describe("a recipe", () => {
  test("gives the settings that give the recipe again", () => {
    const before = settings({ prompt: "красное яблоко", style: "flat", seedMode: "fixed", seed: "77", steps: 12, guidance: 3.5, scheduler: "euler", negativePrompt: "worm", count: 2 });
    const { prompt, options } = callOf(before);
    const after = settings({ ...settingsOf(recipeOf(prompt, options), fakeModel.card) });
    expect(after).toEqual({ ...before, width: 128, height: 128 });
  });

  test("a style that the model at hand does not have stays in the prompt", () => {
    expect(settingsOf(recipeOf("fox, watercolour", {}), fakeModel.card)).toMatchObject({ prompt: "fox, watercolour", style: "" });
    expect(settingsOf(recipeOf("fox, 3d", {}), null)).toMatchObject({ prompt: "fox, 3d", style: "" });
  });

  test("of a stranger is brought into range", () => {
    const { steps, guidance, scheduler } = settingsOf({ ...recipeOf("x", { numInferenceSteps: 5000, guidanceScale: -3 }), scheduler: "<img>" }, null);
    expect([steps, guidance, scheduler]).toEqual([limits.steps.most, limits.guidance.least, null]);
  });
});

describe("storage", () => {
  test("settings survive it", () => {
    const before = settings({ prompt: "кот", steps: 4, scheduler: "lcm", theme: "dark", keepRecipe: false, seedMode: "fixed", seed: "9" });
    expect(readSettings(JSON.stringify(before))).toEqual(before);
  });

  test("whatever it holds, settings come out", () => {
    const values = fc.oneof(fc.string(), fc.json(), fc.record(Object.fromEntries(Object.keys(initialSettings).map((name) => [name, fc.jsonValue()])), { requiredKeys: [] }).map((record) => JSON.stringify(record)));
    fc.assert(fc.property(values, (json) => {
      const read = readSettings(json);
      for (const [name, value] of Object.entries(initialSettings)) {
        const found = read[name as keyof Settings];
        expect(found === null || typeof value === "object" || typeof found === typeof value, name).toBe(true);
      }
      expect(read.steps === null || (read.steps >= 1 && read.steps <= 100)).toBe(true);
    }));
  });

  test("numbers out of range are the model's own again", () => {
    expect(readSettings('{"steps":1e9,"guidance":-1,"count":99,"seed":"abc"}')).toMatchObject({ steps: null, guidance: null, count: 1, seed: "" });
  });
});
