// kiln text-to-image: a prompt becomes PNG files, or the numbers before rounding.
import { extname } from "node:path";
import { writeSafetensors } from "../formats/safetensors.ts";
import { loadPipeline } from "../pipelines/pipeline.ts";
import type { GeneratedImage } from "../pipelines/types.ts";
import { markedPng } from "../provenance/mark.ts";
import { SCHEDULER_NAMES } from "../schedulers/scheduler.ts";
import { decimal, oneOf, parseFlags, seedNumber, UsageError, wholeNumber } from "./flags.ts";
import { openLocalModel } from "./models.ts";
import { expectWritable, writeOut } from "./output.ts";
import { endProgress, showLoading, showStep } from "./progress.ts";
import { installWebGpu } from "./webgpu.ts";

const FLAGS = ["model", "prompt", "negative-prompt", "seed", "steps", "guidance", "scheduler", "width", "height", "dtype", "count", "out", "tensors"] as const;

export const textToImageUsage = `kiln text-to-image --prompt <text> [--model <id or folder>] [--negative-prompt <text>] [--seed <n>] [--steps <n>] [--guidance <g>]
  [--scheduler ${SCHEDULER_NAMES.join("|")}] [--width <n> --height <n>] [--dtype f32|f16] [--count <n>]
  [--out <file.png>] [--tensors <file.safetensors>]`;

/** Runs the command. Throws UsageError for wrong flags, and what the pipeline throws. */
export async function textToImage(args: readonly string[], signal: AbortSignal): Promise<void> {
  const flags = parseFlags(args, FLAGS);
  if (flags.prompt === undefined) throw new UsageError("text-to-image needs --prompt");
  const { tensors } = flags;
  const out = flags.out ?? (tensors === undefined ? "out.png" : undefined);
  if (out !== undefined && extname(out).toLowerCase() !== ".png") throw new UsageError(`--out expects a .png file, got "${out}"`);
  const dtype = oneOf("dtype", flags.dtype, ["f32", "f16"]) ?? (tensors === undefined ? "auto" : "f32");
  const options = {
    negativePrompt: flags["negative-prompt"],
    seed: seedNumber("seed", flags.seed),
    numInferenceSteps: wholeNumber("steps", flags.steps, 1),
    guidanceScale: decimal("guidance", flags.guidance),
    scheduler: oneOf("scheduler", flags.scheduler, SCHEDULER_NAMES),
    width: wholeNumber("width", flags.width, 1),
    height: wholeNumber("height", flags.height, 1),
    numImagesPerPrompt: wholeNumber("count", flags.count, 1),
    returnTensor: tensors !== undefined,
    signal,
  };

  for (const [flag, file] of Object.entries({ out, tensors })) if (file !== undefined) await expectWritable(flag, file);
  const folder = await openLocalModel(flags.model ?? "emoji");
  installWebGpu();
  const pipe = await loadPipeline("text-to-image", folder, { dtype, signal, onProgress: showLoading });
  const work = pipe(flags.prompt, options);
  for await (const step of work) showStep(step);
  const { images, tensor, seed, seconds, warnings } = await work;
  endProgress();
  for (const warning of warnings) process.stderr.write(`${warning}\n`);
  if (out !== undefined) await writePictures(out, images);
  if (tensors !== undefined && tensor) {
    const [{ width, height }] = images;
    const bytes = writeSafetensors({ image: { dtype: "F32", shape: [images.length, height, width, 3], data: tensor } });
    await writeOut(tensors, bytes);
  }
  process.stderr.write(`seed ${seed}, ${seconds.toFixed(1)} s\n`);
  await pipe.dispose();
}

/** apple.png; of several, apple-1.png, apple-2.png … */
async function writePictures(out: string, images: readonly GeneratedImage[]): Promise<void> {
  for (const [i, image] of images.entries()) {
    const file = images.length === 1 ? out : `${out.slice(0, -4)}-${i + 1}.png`;
    await writeOut(file, await markedPng(image));
  }
}
