// npm run bench -- step [folder]: one pass of the shipped model's UNet and of its decoder in GFLOP/s, against a plain matrix product's, and where the time goes.
import { existsSync } from "node:fs";
import { create, globals } from "webgpu";
import { requestGpu } from "../../src/gpu/device.ts";
import { formatProfile, Profiler } from "../../src/gpu/profiler.ts";
import { openDirectory } from "../../src/hub/node.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { openStableDiffusion, StableDiffusion } from "../../src/pipelines/stable-diffusion.ts";
import { sizeOf } from "../../src/tensor/shape.ts";
import { read, type Tensor, upload } from "../../src/tensor/tensor.ts";
import { lcg } from "../kernels/values.ts";
import { type Contender, measure } from "./measure.ts";

const path = process.argv[2] ?? "models/emoji";
if (!existsSync(`${path}/model_index.json`)) {
  console.error(`bench: no model in ${path}`);
  process.exit(2);
}

Object.assign(globalThis, globals);
const api = create([]);
const gpu = await requestGpu({ gpu: api });
const model = new StableDiffusion(gpu, await openStableDiffusion(await openDirectory(path)), "f32");
await model.load();

const [height, width] = model.pictureSize;
const latents = noise(model.latentShape(2, height, width)); // both passes of the guidance
const states = model.encode([new Int32Array(32), new Int32Array(32)]);
const one = noise(model.latentShape(1, height, width));
const [x, weight] = [noise([256, 512]), noise([512, 512])];

const contenders = [
  contender("UNet, 2 × 1 latents", () => model.unet.forward(latents, 500, states)),
  contender("decoder", () => model.decode(one)),
  contender("matmul 256 × 512 → 512", () => matmul(x, weight, { transposeB: true })),
];
const timings = await measure(contenders, { rounds: 9, turnMs: 300 });
console.log(`${gpu.adapterName}, ${path}, ${height} × ${width}, f32`);
const plain = rate(2);
for (const [i, { name, median, p90 }] of timings.entries()) {
  console.log(`${name.padEnd(24)} ${median.toFixed(1)} ms (p90 ${p90.toFixed(1)}), ${(contenders[i].flops / 1e9).toFixed(2)} GFLOP, ${rate(i).toFixed(1)} GFLOP/s, ${((100 * rate(i)) / plain).toFixed(0)} % of the plain product's`);
}
for (const { name, run } of contenders.slice(0, 2)) {
  await gpu.done();
  gpu.profiler = new Profiler(gpu.device);
  await run(1);
  console.log(`\n${name}\n${formatProfile(await gpu.profiler.report())}`);
  gpu.profiler = null;
}
gpu.destroy();

function rate(i: number): number {
  return contenders[i].flops / timings[i].median / 1e6;
}

/** Its work is counted at the first run. */
function contender(name: string, operation: () => Tensor): Contender & { readonly flops: number } {
  const before = gpu.work.flops;
  operation().dispose();
  const flops = gpu.work.flops - before;
  return {
    name, flops,
    async run(count) {
      for (let i = 0; i < count; i++) operation().dispose();
      await gpu.done();
    },
    async result() {
      using out = operation();
      return Float32Array.from(await read(out));
    },
    async release() {},
  };
}

function noise(shape: readonly number[]): Tensor {
  const next = lcg(7);
  return upload(gpu, Float32Array.from({ length: sizeOf(shape) }, () => 2 * next() - 1), shape, "f32");
}
