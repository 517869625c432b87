// A folder's GGUF file, opened as the model that transformers would have published.
import { openGguf } from "../formats/gguf.ts";
import { type GgufModel, modelOfGguf } from "../formats/gguf-model.ts";
import type { ModelFolder } from "./folder.ts";
import { ggufPath } from "./gguf-path.ts";

/**
 * Opens the GGUF file that is the folder's model, with the other files of a split one; null where the folder is no such
 * model. Throws HubError where there are several to choose from, FormatError where the file is damaged or not supported.
 */
export async function openGgufModel(folder: ModelFolder, { signal }: { signal?: AbortSignal } = {}): Promise<GgufModel | null> {
  const path = await ggufPath(folder);
  if (path === null) return null;
  const place = path.slice(0, path.lastIndexOf("/") + 1);
  const gguf = await openGguf(await folder.source(path), { signal, resolve: (file) => folder.source(place + file) });
  return modelOfGguf(gguf, signal);
}
