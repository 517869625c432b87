// The tiny models of tests/reference/text_to_image.py: their folders, the calls, and the pictures that diffusers made.
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { decodeTo } from "../../src/formats/dtype.ts";
import { Checkpoint } from "../../src/formats/safetensors.ts";
import type { TextToImageOptions } from "../../src/pipelines/types.ts";

/** The folder that holds a folder for each model. */
export const GOLDEN = fileURLToPath(new URL("../reference/golden/text-to-image/", import.meta.url));

export const models = readdirSync(GOLDEN, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);

export interface Call extends TextToImageOptions {
  readonly prompt: string;
}

/** What diffusers was asked, and the pictures it made. */
export async function golden(name: string): Promise<{ call: Call; pictures: Float32Array }[]> {
  const path = `${GOLDEN}${name}.safetensors`;
  const checkpoint = await Checkpoint.open(bytesSource(name, await readFile(path)));
  const calls = JSON.parse(checkpoint.metadata.calls) as Call[];
  return Promise.all(calls.map(async (call, i) => ({ call, pictures: (await tensorOf(path, String(i))).values })));
}

/** An f32 tensor of a safetensors file. */
export async function tensorOf(path: string, name: string): Promise<{ shape: readonly number[]; values: Float32Array }> {
  const checkpoint = await Checkpoint.open(bytesSource(path, await readFile(path)));
  const chunks: Float32Array[] = [];
  for await (const bytes of checkpoint.stream(name)) chunks.push(decodeTo("F32", bytes, "f32"));
  return { shape: checkpoint.tensors.get(name)?.shape ?? [], values: chunks[0] };
}

/** Infinity where they differ in length or one is no number. */
export function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  return a.reduce((worst, value, i) => {
    const difference = Math.abs(value - b[i]);
    return difference <= worst ? worst : Number.isNaN(difference) ? Infinity : difference;
  }, 0);
}
