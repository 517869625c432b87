// One blob: address a picture, shared by all who show it.
import type { Picture } from "./gallery-store.ts";

const urls = new Map<string, string>();

export function pictureUrl({ id, png }: Picture): string {
  const url = urls.get(id) ?? URL.createObjectURL(new Blob([png], { type: "image/png" }));
  urls.set(id, url);
  return url;
}

/** Frees the address of a picture that is gone. */
export function releasePictureUrl({ id }: Picture): void {
  const url = urls.get(id);
  if (url !== undefined) URL.revokeObjectURL(url);
  urls.delete(id);
}
