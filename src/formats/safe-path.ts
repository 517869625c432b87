// A path inside a model's folder, as files and indices name it: relative, with forward slashes, and never leading out.
import { FormatError } from "./errors.ts";

/** Returns `path`. Throws FormatError if it is absolute, climbs (`..`), or is no plain relative path. */
export function safePath(path: string): string {
  const plain = path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!plain || /[\\:?#%\u0000-\u001f\u007f]/.test(path)) {
    throw new FormatError(`the path ${JSON.stringify(path)} is refused: a plain path inside the model's folder expected`);
  }
  return path;
}
