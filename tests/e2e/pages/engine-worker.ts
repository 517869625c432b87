// The engine in a browser's worker: upload, a few kernels, reading back, errors, and nothing left in memory.
import { requestGpu } from "../../../src/gpu/device.ts";
import type { Gpu } from "../../../src/gpu/gpu.ts";
import { activate } from "../../../src/kernels/activation.ts";
import { cast } from "../../../src/kernels/copy.ts";
import { add, affine } from "../../../src/kernels/elementwise.ts";
import { arrayOf } from "../../../src/tensor/dtype.ts";
import { read, upload, type Tensor } from "../../../src/tensor/tensor.ts";

/** What the check reads: `error`, or all the others. */
export interface EngineReport {
  readonly error?: string;
  readonly adapter?: string;
  readonly features?: string[];
  /** Largest difference from the same in JavaScript, relative to 1 + |value|. */
  readonly difference?: Partial<Record<"f32" | "f16", number>>;
  /** Bytes that tensors hold at the end. */
  readonly live?: number;
}

const rows = 37;
const columns = 53;

/** silu(3 (a + b) - 1) with b broadcast over the rows, computed in `dtype`. */
function compute(gpu: Gpu, a: Float32Array<ArrayBuffer>, b: Float32Array<ArrayBuffer>, dtype: "f32" | "f16"): Tensor {
  using scope = gpu.scope();
  const x = cast(upload(gpu, a, [rows, columns], "f32"), dtype);
  const y = cast(upload(gpu, b, [columns], "f32"), dtype);
  return scope.keep(cast(activate(affine(add(x, y), 3, -1), "silu"), "f32"));
}

async function difference(gpu: Gpu, dtype: "f32" | "f16"): Promise<number> {
  const a = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i));
  const b = Float32Array.from({ length: columns }, (_, i) => Math.cos(i));
  using out = compute(gpu, a, b, dtype);
  const values = arrayOf("f32", (await read(out)).buffer);
  const expected = a.map((value, i) => silu(3 * (value + b[i % columns]) - 1));
  return expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - values[i]) / (1 + Math.abs(value))), 0);
}

const silu = (x: number) => x / (1 + Math.exp(-x));

async function probe(): Promise<EngineReport> {
  const gpu = await requestGpu();
  const f32 = await difference(gpu, "f32");
  const f16 = gpu.features.f16 ? await difference(gpu, "f16") : undefined;
  if (gpu.error) throw gpu.error;
  const features = Object.entries(gpu.features).flatMap(([name, has]) => (has ? [name] : []));
  return { adapter: gpu.adapterName, features, difference: { f32, f16 }, live: gpu.memoryUse.live };
}

probe().then(postMessage, (error: unknown) => postMessage({ error: String(error) }));
