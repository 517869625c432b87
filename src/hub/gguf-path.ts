// Which of a folder's files is the model, where models are GGUF files.
import { HubError } from "./errors.ts";
import { isGguf, type ModelFolder } from "./folder.ts";

/**
 * The path of the GGUF file that is the model: the one that was opened, else the only one in a folder without safetensors;
 * null where there is none. Throws HubError where there are several to choose from.
 */
export async function ggufPath(folder: ModelFolder): Promise<string | null> {
  if (folder.gguf != null) return folder.gguf;
  for (const path of ["model.safetensors", "model.safetensors.index.json", "model_index.json"]) {
    if (await folder.has(path)) return null;
  }
  const isModel = (name: string): boolean => isGguf(name) && !/mmproj/i.test(name) && !isLaterSplit(name); // mmproj: what an image becomes
  const found = ((await folder.names?.()) ?? []).filter(isModel).sort();
  if (found.length > 1) throw new HubError(`${folder.id}: there are several GGUF files, ${found.join(", ")}: open one of them`);
  return found[0] ?? null;
}

/** Whether the file is a split model's, and not its first. */
function isLaterSplit(name: string): boolean {
  const part = /-(\d{5})-of-\d{5}\.gguf$/i.exec(name);
  return part !== null && Number(part[1]) !== 1;
}
