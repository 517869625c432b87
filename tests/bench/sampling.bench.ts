// npm run bench -- sampling: what choosing a token costs, by vocabulary and options: launches, microseconds (median, p90), times the cost of copying the logits,
// and, where the CPU plays the GPU, microseconds of processor time, which other work on the machine does not lengthen.
import { create, globals } from "webgpu";
import { requestGpu } from "../../src/gpu/device.ts";
import { cast } from "../../src/kernels/copy.ts";
import type { SamplingOptions } from "../../src/sampling/options.ts";
import { Sampler } from "../../src/sampling/sampler.ts";
import { type Tensor, upload } from "../../src/tensor/tensor.ts";
import { lcg } from "../kernels/values.ts";
import { type Contender, measure } from "./measure.ts";

const VOCABULARIES = [50_257, 151_936, 262_144];
const OPTIONS: Readonly<Record<string, SamplingOptions>> = {
  greedy: {},
  temperature: { doSample: true, temperature: 0.8 },
  "top-k 50": { doSample: true, topK: 50 },
  "top-p 0.95": { doSample: true, topP: 0.95 },
  "top-k 50, top-p 0.95, min-p, penalties": { doSample: true, topK: 50, topP: 0.95, minP: 0.02, repetitionPenalty: 1.1, presencePenalty: 0.1 },
  "the same, 5 log-probabilities": { doSample: true, topK: 50, topP: 0.95, minP: 0.02, repetitionPenalty: 1.1, presencePenalty: 0.1, topLogProbs: 5 },
  "typical 0.9": { doSample: true, typicalP: 0.9 },
};

Object.assign(globalThis, globals);
const api = create([]);
const gpu = await requestGpu({ gpu: api });
console.log(gpu.adapterName);

/** Bell-shaped, as wide as a language model's. */
function logitsOf(vocabSize: number): Tensor {
  const next = lcg(1);
  const values = Float32Array.from({ length: vocabSize }, () => 3 * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
  return upload(gpu, values, [1, vocabSize], "f32");
}

function contender(name: string, once: () => Tensor): Contender {
  return {
    name,
    async run(count) {
      for (let i = 0; i < count; i++) once().dispose();
      await gpu.done();
    },
    result: () => Promise.resolve(new Float32Array()),
    release: () => Promise.resolve(),
  };
}

/** Of all threads, a token. */
async function processorTime({ run }: Contender, count = 8): Promise<number> {
  const before = process.cpuUsage();
  await run(count);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

const table = [["vocabulary", "options", "launches", "µs", "p90", "of a copy", "processor"]];
for (const vocabSize of VOCABULARIES) {
  using logits = logitsOf(vocabSize);
  const samplers = Object.entries(OPTIONS).map(([name, options]) => ({ name, sampler: new Sampler(gpu, { vocabSize, batch: 1, seed: 1, ...options }) }));
  const launches = samplers.map(({ sampler }) => {
    const before = gpu.work.dispatches;
    sampler.next(logits).dispose();
    return gpu.work.dispatches - before;
  });
  const [copy, ...timings] = await measure([contender("copy", () => cast(logits, "f32")), ...samplers.map(({ name, sampler }) => contender(name, () => sampler.next(logits)))], { rounds: 9, turnMs: 20 });
  const processor: string[] = [];
  for (const { name, sampler } of samplers) processor.push(gpu.traits.software ? (await processorTime(contender(name, () => sampler.next(logits)))).toFixed(0) : "–");
  timings.forEach(({ name, median, p90 }, i) => table.push([String(vocabSize), name, String(launches[i]), (1e3 * median).toFixed(0), (1e3 * p90).toFixed(0), (median / copy.median).toFixed(1), processor[i]]));
  for (const { sampler } of samplers) sampler.dispose();
}
const widths = table[0].map((_, column) => Math.max(...table.map((line) => line[column].length)));
for (const line of table) console.log(line.map((cell, i) => (i > 1 ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  "));
gpu.destroy();
process.exit(0); // Dawn keeps the process alive
