// Models on disk: the path of a folder or a GGUF file, or the id of one that ships with Kiln.
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { isGguf, type ModelFolder } from "../hub/folder.ts";
import { openDirectory } from "../hub/node.ts";
import { UsageError } from "./flags.ts";

const SHIPPED = new URL("../../models/", import.meta.url); // dist/cli/main.js and src/cli/ lie equally deep

/** Opens a path, or else models/<id>/. Throws UsageError where there is neither. */
export async function openLocalModel(model: string): Promise<ModelFolder> {
  const found = await stat(model).catch(() => null);
  if (found?.isDirectory() || (found && isGguf(model))) return openDirectory(model);
  if (found) throw new UsageError(`--model ${model}: this is a file; a model's folder or a .gguf file expected`);
  const shipped = fileURLToPath(new URL(/^[\w-]+$/.test(model) ? `${model}/` : ".", SHIPPED));
  if (shipped !== fileURLToPath(SHIPPED) && (await stat(shipped).catch(() => null))?.isDirectory()) return openDirectory(shipped);
  throw new UsageError(`--model "${model}": there is no such folder, and no such model ships with Kiln; download a model's folder first`);
}
