// npm run bench -- text: products of a weight matrix with one vector, as decoding does for every token, in each way that weights are kept.
// Prints milliseconds (best, median, p90), the bytes of weights read a second at the median and at best, and their share of what the device copies, best of its runs, too.
import { create, globals } from "webgpu";
import type { GgmlBlockType } from "../../src/formats/ggml-blocks.ts";
import { requestGpu } from "../../src/gpu/device.ts";
import { linear, type Matrix } from "../../src/kernels/linear.ts";
import { QuantizedTensor } from "../../src/tensor/quantized.ts";
import { read } from "../../src/tensor/tensor.ts";
import { random } from "../kernels/values.ts";
import { deviceBounds } from "./bounds.ts";
import { type Contender, measure } from "./measure.ts";

/** Layers and heads of SmolLM2-135M and Llama-3.2-1B: columns of the product, terms. */
const FULL = [[576, 576], [1536, 576], [576, 1536], [49152, 576], [2048, 2048], [8192, 2048], [2048, 8192], [128256, 2048]];
/** The same ratios, at most 4 MB. */
const SMALL = [[512, 512], [1536, 512], [512, 1536], [4096, 256]];
const KEPT = ["f32", "f16", "Q8_0", "Q4_1", "Q4_K"] as const;

Object.assign(globalThis, globals);
const api = create([]);
const gpu = await requestGpu({ gpu: api });
const bounds = await deviceBounds(gpu);
console.log(`${gpu.adapterName}${gpu.traits.software ? " (the CPU plays the GPU: shapes scaled)" : ""}`);
console.log(`At best ${bounds.gigabytes.toFixed(1)} GB/s copied (read and written), ${(1e3 * bounds.dispatchMs).toFixed(0)} µs a launch. Activations f32.`);

function matrix(kept: (typeof KEPT)[number], cols: number, terms: number): Matrix {
  return kept === "f32" || kept === "f16" ? random(gpu, [cols, terms], kept, 1).tensor : new QuantizedTensor(gpu, [cols, terms], kept satisfies GgmlBlockType);
}

/** So many products one after another, each with a result of its own. */
function contender(weight: Matrix, terms: number): Contender {
  const x = random(gpu, [1, terms], "f32", 2).tensor;
  const once = () => {
    using scope = gpu.scope();
    return scope.keep(linear(x, weight));
  };
  return {
    name: "kiln",
    async run(count) {
      for (let i = 0; i < count; i++) once().dispose();
      await gpu.done();
    },
    async result() {
      using out = once();
      return Float32Array.from(await read(out));
    },
    async release() {
      x.dispose();
      weight.dispose();
    },
  };
}

const header = ["product", "weights", "MB", "best ms", "median", "p90", "GB/s at best", "median", "best of copy", "median"];
const table = [header];
for (const [cols, terms] of gpu.traits.software ? SMALL : FULL) {
  for (const kept of KEPT) {
    if (kept === "f16" && !gpu.features.f16) continue;
    if (kept === "Q4_K" && terms % 256 !== 0) continue;
    const weight = matrix(kept, cols, terms);
    const { bytes } = weight;
    const ours = contender(weight, terms);
    const [{ best, median, p90 }] = await measure([ours]);
    await ours.release();
    const speeds = [best, median].map((ms) => bytes / ms / 1e6);
    table.push([
      `${terms} → ${cols}`, kept, (bytes / 1e6).toFixed(2), ...[best, median, p90].map((ms) => ms.toFixed(3)),
      ...speeds.map((speed) => speed.toFixed(2)), ...speeds.map((speed) => `${((100 * speed) / bounds.gigabytes).toFixed(0)} %`),
    ]);
  }
}
const widths = header.map((_, column) => Math.max(...table.map((line) => line[column].length)));
for (const line of table) console.log(line.map((cell, i) => (i > 1 ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  "));
gpu.destroy();
process.exit(0); // Dawn keeps the process alive
