// What the user sets, how it becomes a call, and how a recipe becomes settings again. Kept in localStorage.
import type { ModelCard, Recipe, TextToImageOptions } from "../pipelines/types.ts";
import { isSeed } from "../provenance/recipe.ts";
import type { SchedulerName } from "../schedulers/scheduler.ts";

export interface Settings {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** One of the model's style words, "" for none. */
  readonly style: string;
  readonly seedMode: "random" | "fixed";
  /** Decimal; the seed of the next picture where fixed, of the last one where random. */
  readonly seed: string;
  /** null: as the model says. So for all below. */
  readonly steps: number | null;
  readonly guidance: number | null;
  readonly scheduler: SchedulerName | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly count: number;
  /** Whether prompt and settings go into downloaded files. */
  readonly keepRecipe: boolean;
  readonly theme: "auto" | "light" | "dark";
}

export const initialSettings: Settings = {
  prompt: "", negativePrompt: "", style: "", seedMode: "random", seed: "", steps: null, guidance: null, scheduler: null, width: null, height: null,
  count: 1, keepRecipe: true, theme: "auto",
};

export const limits = { steps: { least: 1, most: 100 }, guidance: { least: 1, most: 15 }, count: { least: 1, most: 4 }, side: { least: 64, most: 1024 } };

/** Names for people; the order is that of the menu. */
export const schedulerLabels: Readonly<Record<SchedulerName, string>> = {
  ddim: "DDIM",
  pndm: "PNDM",
  euler: "Euler",
  "euler-ancestral": "Euler ancestral",
  "dpmpp-2m": "DPM++ 2M",
  "dpmpp-2m-karras": "DPM++ 2M Karras",
  lcm: "LCM",
};

/** A call for these settings; with a random seed, one drawn now. */
export function callOf(settings: Settings): { prompt: string; options: TextToImageOptions; seed: string } {
  const { negativePrompt, style, seedMode, steps, guidance, scheduler, width, height, count } = settings;
  const prompt = style === "" ? settings.prompt.trim() : `${settings.prompt.trim()}, ${style}`;
  const seed = seedMode === "fixed" && isSeed(settings.seed) ? settings.seed : randomSeed();
  const options: TextToImageOptions = {
    negativePrompt: negativePrompt.trim(),
    seed: BigInt(seed),
    numInferenceSteps: steps ?? undefined,
    guidanceScale: guidance ?? undefined,
    scheduler: scheduler ?? undefined,
    width: width ?? undefined,
    height: height ?? undefined,
    numImagesPerPrompt: count,
    previewEvery: 1,
  };
  return { prompt, options, seed };
}

/** A seed that people can read aloud: 32 bits. */
export function randomSeed(): string {
  return String(crypto.getRandomValues(new Uint32Array(1))[0]);
}

/** Settings that make the recipe's picture again; its style word is taken off the prompt where the model has it. */
export function settingsOf(recipe: Recipe, card: ModelCard | null): Partial<Settings> {
  const style = card?.styles.find((word) => recipe.prompt.endsWith(`, ${word}`)) ?? "";
  const scheduler = schedulerNames.find((name) => name === recipe.scheduler) ?? null;
  return {
    prompt: style === "" ? recipe.prompt : recipe.prompt.slice(0, -`, ${style}`.length),
    negativePrompt: recipe.negativePrompt,
    style,
    seedMode: "fixed",
    seed: recipe.seed,
    steps: clamp(recipe.numInferenceSteps, limits.steps),
    guidance: clamp(recipe.guidanceScale, limits.guidance),
    scheduler,
    width: recipe.width,
    height: recipe.height,
    count: clamp(recipe.count, limits.count),
  };
}

const schedulerNames = Object.keys(schedulerLabels) as SchedulerName[];

function clamp(value: number, { least, most }: { least: number; most: number }): number {
  return Math.min(most, Math.max(least, value));
}

const storageKey = "kiln.settings";

/** The settings of the last visit; what is missing, or not of its type, is as at first. */
export function loadSettings(storage: Storage | undefined = globalThis.localStorage): Settings {
  return readSettings(storage?.getItem(storageKey) ?? "{}");
}

export function saveSettings(settings: Settings, storage: Storage | undefined = globalThis.localStorage): void {
  try {
    storage?.setItem(storageKey, JSON.stringify(settings));
  } catch {
    // A full or forbidden storage costs the memory of the settings, nothing else.
  }
}

export function readSettings(json: string): Settings {
  let stored: unknown;
  try {
    stored = JSON.parse(json);
  } catch {
    return initialSettings;
  }
  if (typeof stored !== "object" || stored === null) return initialSettings;
  const value = new Map<string, unknown>(Object.entries(stored));
  const text = (name: "prompt" | "negativePrompt" | "style" | "seed") => {
    const found = value.get(name);
    return typeof found === "string" && found.length <= 2000 ? found : initialSettings[name];
  };
  const number = (name: string, range: { least: number; most: number }) => {
    const found = value.get(name);
    return typeof found === "number" && found >= range.least && found <= range.most ? found : null;
  };
  const seed = text("seed");
  return {
    prompt: text("prompt"),
    negativePrompt: text("negativePrompt"),
    style: text("style"),
    seedMode: value.get("seedMode") === "fixed" ? "fixed" : "random",
    seed: isSeed(seed) ? seed : "",
    steps: number("steps", limits.steps),
    guidance: number("guidance", limits.guidance),
    scheduler: schedulerNames.find((name) => name === value.get("scheduler")) ?? null,
    width: number("width", limits.side),
    height: number("height", limits.side),
    count: number("count", limits.count) ?? 1,
    keepRecipe: value.get("keepRecipe") !== false,
    theme: (["light", "dark"] as const).find((theme) => theme === value.get("theme")) ?? "auto",
  };
}
