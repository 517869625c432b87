// kiln plan: the memory that a model needs, from its headers alone.
import { planTextGeneration } from "../pipelines/text-generation.ts";
import { planTextToImage } from "../pipelines/text-to-image.ts";
import type { MemoryPlan } from "../pipelines/types.ts";
import { decimal, oneOf, parseFlags, UsageError, wholeNumber } from "./flags.ts";
import { openLocalModel } from "./models.ts";

const OF_PICTURES = ["width", "height", "count", "guidance"] as const;
const OF_TEXT = ["context", "batch", "quantize"] as const;
const FLAGS = ["model", "dtype", ...OF_PICTURES, ...OF_TEXT] as const;

export const planUsage = `kiln plan --model <id, folder or file.gguf> [--dtype f32|f16]
  of a picture: [--width <n> --height <n>] [--count <n>] [--guidance <g>]
  of a text: [--context <tokens>] [--batch <n>] [--quantize none|q8|q4]`;

/** Prints weights, cache, largest activation and peak in bytes. Throws UsageError for wrong flags, and what opening throws. */
export async function plan(args: readonly string[]): Promise<void> {
  const flags = parseFlags(args, FLAGS);
  if (flags.model === undefined) throw new UsageError("plan needs --model");
  const dtype = oneOf("dtype", flags.dtype, ["f32", "f16"]);
  const picture = {
    width: wholeNumber("width", flags.width, 1),
    height: wholeNumber("height", flags.height, 1),
    numImagesPerPrompt: wholeNumber("count", flags.count, 1),
    guidanceScale: decimal("guidance", flags.guidance),
  };
  const text = {
    contextLength: wholeNumber("context", flags.context, 1),
    batch: wholeNumber("batch", flags.batch, 1),
    quantize: oneOf("quantize", flags.quantize, ["none", "q8", "q4"]),
  };
  const folder = await openLocalModel(flags.model);
  const pictures = await folder.has("model_index.json");
  for (const flag of pictures ? OF_TEXT : OF_PICTURES) {
    if (flags[flag] !== undefined) throw new UsageError(`--${flag} is for models of ${pictures ? "text" : "pictures"}, and ${flags.model} is none`);
  }
  print(pictures ? await planTextToImage(folder, { dtype, ...picture }) : await planTextGeneration(folder, { dtype, ...text }));
}

function print({ weights, cache, largestActivation, peak }: MemoryPlan): void {
  const rows = { weights, cache, "largest activation": largestActivation, peak };
  for (const [name, bytes] of Object.entries(rows)) {
    if (bytes !== undefined) process.stdout.write(`${name.padEnd(18)} ${(bytes / 2 ** 20).toFixed(1).padStart(9)} MiB\n`);
  }
}
