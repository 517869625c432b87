// y = a * x + y for 1,000 elements, in f32 and, where the adapter has it, in f16; then what the adapter offers.
const count = 1000;

function source(type) {
  return `${type === "f16" ? "enable f16;\n" : ""}
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&x)) { y[id.x] = f32(${type}(2) * ${type}(x[id.x]) + ${type}(y[id.x])); }
    }`;
}

async function axpy(device, type) {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code: source(type) });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const x = device.createBuffer({ size: count * 4, usage });
  const y = device.createBuffer({ size: count * 4, usage });
  const read = device.createBuffer({ size: count * 4, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  device.queue.writeBuffer(x, 0, Float32Array.from({ length: count }, (_, i) => i));
  device.queue.writeBuffer(y, 0, new Float32Array(count).fill(1));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = [x, y].map((buffer, binding) => ({ binding, resource: { buffer } }));
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(count / 64));
  pass.end();
  encoder.copyBufferToBuffer(y, 0, read, 0, count * 4);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(read.getMappedRange());
  const wrong = values.findIndex((value, i) => value !== 2 * i + 1);
  const error = await device.popErrorScope();
  if (error) throw new Error(error.message);
  if (wrong >= 0) throw new Error(`${type}: element ${wrong} is ${values[wrong]}, not ${2 * wrong + 1}`);
}

async function probe() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error(navigator.gpu ? "no adapter" : "no navigator.gpu in workers");
  const features = [...adapter.features].sort();
  const limits = {};
  for (const name in adapter.limits) if (typeof adapter.limits[name] === "number") limits[name] = adapter.limits[name];
  const { vendor, architecture, device: deviceName, description, subgroupMinSize, subgroupMaxSize } = adapter.info;
  const info = { vendor, architecture, device: deviceName, description, subgroupMinSize, subgroupMaxSize };
  const device = await adapter.requestDevice({ requiredFeatures: features.includes("shader-f16") ? ["shader-f16"] : [] });
  await axpy(device, "f32");
  if (features.includes("shader-f16")) await axpy(device, "f16");
  return { ok: true, info, features, limits };
}

probe().then(postMessage, (error) => postMessage({ error: String(error?.message ?? error) }));
