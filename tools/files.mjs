// Folders of files: their list, and whether something built from them is older than they are.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * Every file under a folder, as paths relative to it with forward slashes.
 * @param {string} folder @returns {string[]}
 */
export function walk(folder, prefix = "") {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = prefix ? `${prefix}/${entry.name}` : entry.name;
    return entry.isDirectory() ? walk(folder, path) : [path];
  });
}

/**
 * Whether `output` is missing, or older than a file or folder (so, than a deletion) among `inputs`.
 * @param {string} output @param {string[]} inputs files and folders; one that does not exist does not count
 */
export function isStale(output, inputs) {
  if (!existsSync(output)) return true;
  const built = statSync(output).mtimeMs;
  /** @type {(path: string) => boolean} */
  const newer = (path) => {
    const stats = statSync(path);
    return stats.mtimeMs > built || (stats.isDirectory() && readdirSync(path).some((name) => newer(join(path, name))));
  };
  return inputs.some((path) => existsSync(path) && newer(path));
}
