// Golden model folders (tests/reference/golden/<network>/<case>): a checkpoint as its publisher has it, and what the published implementation computes from it.
import { readFileSync } from "node:fs";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { decodeTo } from "../../src/formats/dtype.ts";
import { Checkpoint } from "../../src/formats/safetensors.ts";
import type { Gpu } from "../../src/gpu/gpu.ts";
import { cast, contiguous } from "../../src/kernels/copy.ts";
import { scoped } from "../../src/nn/scoped.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { read, type Tensor, upload } from "../../src/tensor/tensor.ts";

const ROOT = new URL("../reference/golden/", import.meta.url);

export interface Golden {
  readonly config: Record<string, unknown>;
  readonly checkpoint: Checkpoint;
  readonly expected: ReadonlyMap<string, Values>;
}

/** A tensor of the published implementation; pictures and feature maps are put channels last. */
export interface Values {
  readonly shape: Shape;
  readonly data: Float32Array<ArrayBuffer>;
}

/** `path`: "clip-text/published". `weights`: the checkpoint's file name. */
export async function openGolden(path: string, weights: string): Promise<Golden> {
  const open = (file: string) => Checkpoint.open(bytesSource(file, readFileSync(new URL(`${path}/${file}`, ROOT))));
  return {
    config: readJson(`${path}/config.json`) as Record<string, unknown>,
    checkpoint: await open(weights),
    expected: await valuesOf(await open("expected.safetensors")),
  };
}

/** A JSON file below tests/reference/golden. */
export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, ROOT), "utf8"));
}

async function valuesOf(checkpoint: Checkpoint): Promise<Map<string, Values>> {
  const values = new Map<string, Values>();
  for (const [name, { dtype, shape, byteLength }] of checkpoint.tensors) {
    const bytes = new Uint8Array(byteLength);
    let at = 0;
    for await (const chunk of checkpoint.stream(name)) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    const data = Float32Array.from(decodeTo(dtype, bytes, "f32"));
    values.set(name, shape.length === 4 ? channelsLast(shape, data) : { shape, data });
  }
  return values;
}

/** [N, C, H, W] → [N, H, W, C]. */
function channelsLast([n, c, h, w]: Shape, data: Float32Array): Values {
  const out = new Float32Array(data.length);
  for (let image = 0, from = 0; image < n; image++) {
    for (let channel = 0; channel < c; channel++) {
      for (let pixel = 0; pixel < h * w; pixel++) out[(image * h * w + pixel) * c + channel] = data[from++];
    }
  }
  return { shape: [n, h, w, c], data: out };
}

/** The values on the GPU. */
export function put(gpu: Gpu, { shape, data }: Values, dtype: "f32" | "f16" = "f32"): Tensor {
  return scoped(gpu, () => cast(upload(gpu, data, shape, "f32"), dtype));
}

/** Largest difference, relative to the largest expected value. Throws where the shapes differ. Disposes `actual`. */
export async function relativeError(actual: Tensor, { shape, data }: Values): Promise<number> {
  if (actual.shape.join() !== shape.join()) throw new Error(`shape [${shape}] expected, got [${actual.shape}]`);
  const plain = scoped(actual.gpu, () => (actual.dtype === "f32" ? contiguous(actual) : cast(actual, "f32")));
  actual.dispose();
  const values = await read(plain);
  plain.dispose();
  let difference = 0;
  let largest = 0;
  data.forEach((value, i) => {
    difference = Math.max(difference, Math.abs(values[i] - value));
    largest = Math.max(largest, Math.abs(value));
  });
  return values.some(Number.isNaN) ? Number.NaN : difference / largest;
}
