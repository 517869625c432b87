// What a file says of its own origin. Anyone can write or remove such marks, so this is what it says, not a proof.
import { FormatError } from "../formats/errors.ts";
import { readPngText } from "../formats/png.ts";
import type { Recipe } from "../pipelines/types.ts";
import { parseRecipe, recipeKey } from "./recipe.ts";
import { readXmp } from "./xmp.ts";

export interface Inspection {
  /** Whether the file names Kiln as its maker. */
  readonly madeByKiln: boolean;
  /** How to make it again, where the file tells. */
  readonly recipe: Recipe | null;
  /** IPTC's DigitalSourceType, an address; files of other tools may have one, too. */
  readonly digitalSourceType: string | null;
}

/** Bytes; larger files are not read into memory. */
const largest = 64 << 20;

const nothing: Inspection = { madeByKiln: false, recipe: null, digitalSourceType: null };

/** Reads the marks of a PNG. Files of other kinds, and damaged ones, say nothing. */
export async function inspect(file: Blob): Promise<Inspection> {
  if (file.size > largest) return nothing;
  let png: Awaited<ReturnType<typeof readPngText>>;
  try {
    png = await readPngText(new Uint8Array(await file.arrayBuffer()));
  } catch (error) {
    if (error instanceof FormatError) return nothing;
    throw error;
  }
  const { digitalSourceType, creatorTool } = readXmp(png.xmp ?? "");
  const recipe = parseRecipe(png.text[recipeKey] ?? "");
  const madeByKiln = recipe !== null || /^Kiln \d/.test(creatorTool ?? "");
  return { madeByKiln, recipe, digitalSourceType };
}
