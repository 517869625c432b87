// y = 2 x + y for 1,000 elements, in f32 and, where the adapter has it, in f16; then what the adapter offers.
const count = 1000;

/** What the check reads: `error`, or all the others. */
export interface WebGpuReport {
  readonly error?: string;
  readonly adapter?: string;
  readonly features?: string[];
  readonly limits?: Record<string, number>;
}

function source(type: "f32" | "f16"): string {
  return `${type === "f16" ? "enable f16;\n" : ""}
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&x)) { y[id.x] = f32(${type}(2) * ${type}(x[id.x]) + ${type}(y[id.x])); }
    }`;
}

/** Throws where the result is not the sum, which f16 can still tell exactly. */
async function axpy(device: GPUDevice, type: "f32" | "f16"): Promise<void> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code: source(type) });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const x = device.createBuffer({ size: count * 4, usage });
  const y = device.createBuffer({ size: count * 4, usage });
  const result = device.createBuffer({ size: count * 4, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  device.queue.writeBuffer(x, 0, Float32Array.from({ length: count }, (_, i) => i));
  device.queue.writeBuffer(y, 0, new Float32Array(count).fill(1));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = [x, y].map((buffer, binding) => ({ binding, resource: { buffer } }));
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(count / 64));
  pass.end();
  encoder.copyBufferToBuffer(y, 0, result, 0, count * 4);
  device.queue.submit([encoder.finish()]);
  await result.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(result.getMappedRange());
  const wrong = values.findIndex((value, i) => value !== 2 * i + 1);
  const error = await device.popErrorScope();
  if (error) throw new Error(error.message);
  if (wrong >= 0) throw new Error(`${type}: element ${wrong} is ${values[wrong]}, not ${2 * wrong + 1}`);
}

async function probe(): Promise<WebGpuReport> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error(navigator.gpu ? "no adapter" : "no navigator.gpu in workers");
  const f16 = adapter.features.has("shader-f16");
  const device = await adapter.requestDevice({ requiredFeatures: f16 ? ["shader-f16"] : [] });
  await axpy(device, "f32");
  if (f16) await axpy(device, "f16");
  return { adapter: adapter.info.architecture, features: [...adapter.features].sort(), limits: numbers(adapter.limits) };
}

/** Limits are getters of the prototype, which JSON does not see. */
function numbers(limits: GPUSupportedLimits): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name in limits) {
    const value: unknown = Reflect.get(limits, name);
    if (typeof value === "number") found[name] = value;
  }
  return found;
}

probe().then(postMessage, (error: unknown) => postMessage({ error: String(error) }));
