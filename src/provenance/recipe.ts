// The recipe inside a picture's file: JSON for us, and the line of settings that other image tools read and write.
import type { Recipe } from "../pipelines/types.ts";

/** PNG keyword of the recipe as JSON. */
export const recipeKey = "kiln";

/** PNG keywords that tell what was asked for: all that goes when the recipe is left out. */
export const recipeKeys: readonly string[] = [recipeKey, "parameters", "Description"];

/** Characters; more than any picture made here has. */
const longest = { prompt: 20_000, name: 500, json: 100_000 };

/** The recipe as PNG text: JSON under "kiln", "parameters" as other tools write it, and the prompt as "Description". */
export function recipeText(recipe: Recipe): Record<string, string> {
  return { [recipeKey]: JSON.stringify(recipe), parameters: parameters(recipe), Description: recipe.prompt };
}

function parameters(recipe: Recipe): string {
  const { prompt, negativePrompt, numInferenceSteps, scheduler, guidanceScale, seed, width, height, model, kiln } = recipe;
  const settings = {
    Steps: numInferenceSteps, Sampler: scheduler, "CFG scale": guidanceScale, Seed: seed, Size: `${width}x${height}`, Model: model, Version: `Kiln ${kiln}`,
  };
  const lines = [prompt, ...(negativePrompt === "" ? [] : [`Negative prompt: ${negativePrompt}`])];
  return [...lines, Object.entries(settings).map(([name, value]) => `${name}: ${value}`).join(", ")].join("\n");
}

/** The recipe that a file's text holds, or null where it is none of ours: too long, no JSON, a field missing, of another type or out of range. */
export function parseRecipe(json: string): Recipe | null {
  if (json.length > longest.json) return null;
  try {
    return readRecipe(new Fields(JSON.parse(json)));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof UnfitField) return null;
    throw error;
  }
}

function readRecipe(fields: Fields): Recipe {
  const count = fields.whole("count", 1, 10_000);
  const seed = fields.text("seed");
  if (!isSeed(seed)) throw new UnfitField("seed");
  return {
    task: fields.oneOf("task", ["text-to-image"]),
    model: fields.text("model"),
    revision: fields.text("revision"),
    prompt: fields.text("prompt", longest.prompt),
    negativePrompt: fields.text("negativePrompt", longest.prompt),
    seed,
    index: fields.whole("index", 0, count - 1),
    count,
    numInferenceSteps: fields.whole("numInferenceSteps", 1, 10_000),
    guidanceScale: fields.number("guidanceScale", -1000, 1000),
    scheduler: fields.text("scheduler"),
    generator: fields.oneOf("generator", ["torch-cpu", "torch-cuda"]),
    width: fields.whole("width", 8, 65_536),
    height: fields.whole("height", 8, 65_536),
    dtype: fields.oneOf("dtype", ["f32", "f16"]),
    kiln: fields.text("kiln"),
  };
}

/** A decimal number in 0 … 2⁶⁴−1, written without leading zeros. */
export function isSeed(text: string): boolean {
  return /^(0|[1-9]\d{0,19})$/.test(text) && BigInt(text) < 1n << 64n;
}

/** A field that no recipe of ours has. */
class UnfitField extends Error {}

/** Typed reading of a parsed object that somebody else may have written. */
class Fields {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(value: unknown) {
    if (typeof value !== "object" || value === null) throw new UnfitField("no object");
    this.#values = new Map<string, unknown>(Object.entries(value));
  }

  text(name: string, limit = longest.name): string {
    const value = this.#values.get(name);
    if (typeof value !== "string" || value.length > limit) throw new UnfitField(name);
    return value;
  }

  number(name: string, least: number, most: number): number {
    const value = this.#values.get(name);
    if (typeof value !== "number" || !(value >= least && value <= most)) throw new UnfitField(name);
    return value;
  }

  whole(name: string, least: number, most: number): number {
    const value = this.number(name, least, most);
    if (!Number.isInteger(value)) throw new UnfitField(name);
    return value;
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.#values.get(name);
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) throw new UnfitField(name);
    return chosen;
  }
}
