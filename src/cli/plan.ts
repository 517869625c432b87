// kiln plan: the memory that a model needs, from its headers alone.
import { planTextToImage } from "../pipelines/text-to-image.ts";
import { decimal, oneOf, parseFlags, UsageError, wholeNumber } from "./flags.ts";
import { openLocalModel } from "./models.ts";

const FLAGS = ["model", "width", "height", "count", "guidance", "dtype"] as const;

export const planUsage = "kiln plan --model <id or folder> [--width <n> --height <n>] [--count <n>] [--guidance <g>] [--dtype f32|f16]";

/** Prints weights, largest activation and peak in bytes. Throws UsageError for wrong flags, and what opening throws. */
export async function plan(args: readonly string[]): Promise<void> {
  const flags = parseFlags(args, FLAGS);
  if (flags.model === undefined) throw new UsageError("plan needs --model");
  const { weights, largestActivation, peak } = await planTextToImage(await openLocalModel(flags.model), {
    dtype: oneOf("dtype", flags.dtype, ["f32", "f16"]),
    width: wholeNumber("width", flags.width, 1),
    height: wholeNumber("height", flags.height, 1),
    numImagesPerPrompt: wholeNumber("count", flags.count, 1),
    guidanceScale: decimal("guidance", flags.guidance),
  });
  const rows = { weights, "largest activation": largestActivation, peak };
  for (const [name, bytes] of Object.entries(rows)) process.stdout.write(`${name.padEnd(18)} ${(bytes / 2 ** 20).toFixed(1).padStart(9)} MiB\n`);
}
