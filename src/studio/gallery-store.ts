// The gallery's pictures in IndexedDB, database "kiln-gallery": each a PNG with its recipe inside, newest first.
import { createStore, del, entries, set, type UseStore } from "idb-keyval";
import type { Recipe } from "../pipelines/types.ts";
import { parseRecipe } from "../provenance/recipe.ts";

export interface Picture {
  /** Sorts by the time of making. */
  readonly id: string;
  readonly png: Uint8Array<ArrayBuffer>;
  readonly recipe: Recipe;
}

let opened: UseStore | undefined;

/** Opened when first used: a page that may keep nothing still works. */
function store(): UseStore {
  opened ??= createStore("kiln-gallery", "pictures");
  return opened;
}

/** Every picture, newest first. Entries that an older version wrote in another form are left out. */
export async function listPictures(): Promise<Picture[]> {
  const found = await entries<string, unknown>(store());
  return found.flatMap(([id, value]) => readPicture(id, value)).sort((a, b) => (a.id < b.id ? 1 : -1));
}

function readPicture(id: string, value: unknown): Picture[] {
  if (typeof value !== "object" || value === null || !("png" in value) || !("recipe" in value)) return [];
  const recipe = parseRecipe(JSON.stringify(value.recipe));
  return value.png instanceof Uint8Array && recipe !== null ? [{ id, png: new Uint8Array(value.png), recipe }] : [];
}

/** Keeps a picture. Throws QuotaExceededError where the browser's storage is full. */
export async function keepPicture({ id, png, recipe }: Picture): Promise<void> {
  await set(id, { png, recipe }, store());
}

export async function deletePicture({ id }: Picture): Promise<void> {
  await del(id, store());
}
