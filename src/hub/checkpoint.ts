// The weights of one part of a model: <subfolder>/<stem>.safetensors, or its shards with an index, as diffusers names them.
import { Checkpoint } from "../formats/safetensors.ts";
import { HubError } from "./errors.ts";
import type { ModelFolder } from "./folder.ts";

export interface OpenCheckpointOptions {
  /** As in diffusers: "fp16" takes <stem>.fp16.safetensors, and is an error where there is none. Without one, "fp16" is taken where there is nothing else. */
  variant?: string;
  signal?: AbortSignal;
}

/**
 * Opens a part's weights: stem is "diffusion_pytorch_model" or "model". Throws HubError where there are none, saying so
 * where there are only pickled ones; FormatError where the files are damaged.
 */
export async function openCheckpoint(
  folder: ModelFolder, subfolder: string, stem: string, { variant, signal }: OpenCheckpointOptions = {},
): Promise<Checkpoint> {
  const prefix = subfolder === "" ? "" : `${subfolder}/`;
  const suffixes = variant === undefined ? ["", ".fp16"] : [`.${variant}`];
  for (const suffix of suffixes) {
    const single = `${prefix}${stem}${suffix}.safetensors`;
    if (await folder.has(single)) return Checkpoint.open(await folder.source(single), { signal });
    const index = await folder.json(`${prefix}${stem}.safetensors.index${suffix}.json`);
    if (index !== null) return Checkpoint.openSharded(index, (file) => folder.source(prefix + file), { signal });
  }
  const [suffix] = suffixes;
  throw new HubError(`${folder.id}: there is no ${prefix}${stem}${suffix}.safetensors${await wayOut(folder, prefix, stem, suffix)}`);
}

async function wayOut(folder: ModelFolder, prefix: string, stem: string, suffix: string): Promise<string> {
  if (suffix !== "" && (await folder.has(`${prefix}${stem}.safetensors`))) return ". There is one without the variant: leave it out";
  const pickled = [`${prefix}${stem}${suffix}.bin`, `${prefix}pytorch_model${suffix}.bin`];
  for (const path of pickled) {
    if (await folder.has(path)) return `, only ${path}, a pickle, which could run code and is not read. Save the model as safetensors with diffusers: pipe.save_pretrained(…)`;
  }
  return "";
}
