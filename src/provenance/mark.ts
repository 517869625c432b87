// A picture as the file that leaves this place: PNG with IPTC's mark for generated media, and with its recipe unless that is kept private.
import { encodePng } from "../formats/png.ts";
import type { GeneratedImage } from "../pipelines/types.ts";
import { recipeKeys, recipeText } from "./recipe.ts";
import { writeXmp } from "./xmp.ts";

export interface MarkOptions {
  /** Whether prompt and settings go into the file; default true. The mark that a model made it always does. */
  readonly recipe?: boolean;
}

/** PNG bytes of a picture made here. */
export function markedPng(image: GeneratedImage, { recipe = true }: MarkOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const software = `Kiln ${image.recipe.kiln}`;
  const text = { Software: software, ...(recipe ? recipeText(image.recipe) : {}) };
  return encodePng(image, { text, xmp: writeXmp(software) });
}

/** A file of `markedPng` less its prompt and settings; the pixels and the mark stay as they are, byte for byte. */
export function withoutRecipe(png: Uint8Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const kept = new Uint8Array(png.byteLength);
  const signature = 8;
  kept.set(png.subarray(0, signature));
  let length = signature;
  for (let at = signature; at < png.byteLength;) {
    const end = at + 12 + view.getUint32(at); // length, type, body, CRC-32
    if (!tellsRecipe(png.subarray(at + 4, end - 4))) {
      kept.set(png.subarray(at, end), length);
      length += end - at;
    }
    at = end;
  }
  return kept.slice(0, length);
}

/** Whether a chunk (type and body) is a text under one of the recipe's keywords. */
function tellsRecipe(chunk: Uint8Array): boolean {
  const [type, keyword] = [chunk.subarray(0, 4), chunk.subarray(4, 4 + 80)].map((bytes) => String.fromCharCode(...bytes));
  return ["tEXt", "iTXt"].includes(type) && recipeKeys.includes(keyword.split("\0")[0]);
}
