// What the device can do at best, measured in the same run: multiplications in registers, bytes copied, launches.
import type { Gpu } from "../../src/gpu/gpu.ts";

export interface Bounds {
  readonly gflops: number;
  readonly gigabytes: number;
  readonly dispatchMs: number;
}

const PEAK = `
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  var sums: array<f32, 8>;
  let x = f32(id.x) * 1e-9;
  for (var i = 0u; i < 4096; i++) { for (var j = 0u; j < 8; j++) { sums[j] = fma(sums[j], x, 1.0); } }
  for (var j = 1u; j < 8; j++) { sums[0] += sums[j]; }
  out[id.x] = sums[0];
}`;
const NOTHING = `
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(1) fn main() { out[0] = 1; }`;

export async function deviceBounds(gpu: Gpu): Promise<Bounds> {
  const device = gpu.device;
  if (!device) throw new Error("bounds: a planning GPU has none");
  const size = 2 ** 25;
  const [a, b] = [0, 1].map(() => device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST }));
  const groups = gpu.traits.software ? 16 : 4096;
  const launch = (code: string, workgroups: number, times: number) => {
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module: device.createShaderModule({ code }), entryPoint: "main" } });
    const bindings = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: a } }] });
    return (encoder: GPUCommandEncoder) => {
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindings);
      for (let i = 0; i < times; i++) pass.dispatchWorkgroups(workgroups);
      pass.end();
    };
  };
  const peak = await best(device, launch(PEAK, groups, 1));
  const copy = await best(device, (encoder) => encoder.copyBufferToBuffer(a, 0, b, 0, size));
  const launches = await best(device, launch(NOTHING, 1, 500));
  for (const buffer of [a, b]) buffer.destroy();
  return { gflops: (groups * 64 * 4096 * 16) / peak / 1e6, gigabytes: (2 * size) / copy / 1e6, dispatchMs: launches / 500 };
}

/** The fastest of several submits, in milliseconds. */
async function best(device: GPUDevice, record: (encoder: GPUCommandEncoder) => void): Promise<number> {
  let fastest = Infinity;
  for (let i = 0; i < 8; i++) {
    const encoder = device.createCommandEncoder();
    record(encoder);
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    fastest = Math.min(fastest, performance.now() - start);
  }
  return fastest;
}
