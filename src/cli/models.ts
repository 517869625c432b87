// Models on disk: a folder's path, or the id of one that ships with Kiln.
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { ModelFolder } from "../hub/folder.ts";
import { openDirectory } from "../hub/node.ts";
import { UsageError } from "./flags.ts";

const SHIPPED = new URL("../../models/", import.meta.url); // dist/cli/main.js and src/cli/ lie equally deep

/** Opens a path, or else models/<id>/. Throws UsageError where there is neither. */
export async function openLocalModel(model: string): Promise<ModelFolder> {
  const isFolder = async (path: string) => (await stat(path).catch(() => null))?.isDirectory() ?? false;
  if (await isFolder(model)) return openDirectory(model);
  const shipped = fileURLToPath(new URL(`${model}/`, SHIPPED));
  if (/^[\w-]+$/.test(model) && (await isFolder(shipped))) return openDirectory(shipped);
  throw new UsageError(`--model ${model}: there is no such folder, and no such model ships with Kiln`);
}
