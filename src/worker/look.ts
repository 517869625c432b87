// What can be told of a model before it is loaded: its card, the size of its download, whether this browser holds it already.
import { listCached } from "../hub/cache.ts";
import type { ModelFolder } from "../hub/folder.ts";
import { ggufPath } from "../hub/gguf-path.ts";
import { openModel } from "../hub/open.ts";
import { readModelCard } from "../pipelines/model-card.ts";
import type { Task } from "../pipelines/tasks.ts";
import type { ModelCard } from "../pipelines/types.ts";
import type { ModelPlace, PlainPipelineOptions } from "./service.ts";

export interface FirstLook {
  /** What the model is for, as its folder tells. */
  readonly task: Task;
  readonly card: ModelCard | null;
  /** Bytes of its weights; null where the folder does not tell. */
  readonly bytes: number | null;
  /** Whether all of them are in this browser. */
  readonly cached: boolean;
}

const pictureParts = ["text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"];

/** Asks only for headers and the card. Throws HubError where there is no model. */
export async function lookAt(place: ModelPlace, options: PlainPipelineOptions): Promise<FirstLook> {
  const folder = await openModel(place, options);
  const gguf = await ggufPath(folder);
  const task = gguf === null && (await folder.has("model_index.json")) ? "text-to-image" : "text-generation";
  const parts = gguf !== null ? [gguf] : task === "text-generation" ? ["model.safetensors"] : pictureParts;
  const [card, bytes, kept] = await Promise.all([readModelCard(folder), sizeOf(folder, parts), listCached().catch(() => [])]);
  const held = kept.find(({ id }) => id === folder.id)?.bytes ?? 0;
  return { task, card, bytes, cached: bytes !== null && held >= bytes };
}

async function sizeOf(folder: ModelFolder, parts: readonly string[]): Promise<number | null> {
  const sizes = await Promise.all(parts.map((path) => partSize(folder, path)));
  return sizes.reduce((sum, size) => (sum === null || size === null ? null : sum + size), 0);
}

/** Of one file, or of the shards that its index lists. */
async function partSize(folder: ModelFolder, path: string): Promise<number | null> {
  if (await folder.has(path)) {
    const source = await folder.source(path);
    await source.close?.();
    return source.size;
  }
  const index = await folder.json(`${path}.index.json`);
  const metadata = typeof index === "object" && index !== null && "metadata" in index ? index.metadata : null;
  const total = typeof metadata === "object" && metadata !== null && "total_size" in metadata ? metadata.total_size : null;
  return typeof total === "number" ? total : null;
}
