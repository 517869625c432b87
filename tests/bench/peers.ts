// The libraries we compare with, installed into .cache/bench (they are no dependency of the project) and run on the same adapter.
// Shims for Node, none of which changes what the GPU does: `navigator.gpu`; `writeBuffer` copies data that lies in shared
// memory (npm webgpu refuses it); WebAssembly is compiled by V8's baseline compiler only, because the optimising one takes minutes.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { encodeOnnx, type OnnxModel } from "./onnx.ts";

const VERSIONS = { "@tensorflow/tfjs-core": "4.22.0", "@tensorflow/tfjs-backend-webgpu": "4.22.0", "onnxruntime-web": "1.30.0" };

/** What the bench uses of tfjs. */
export interface TfTensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

export interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  backend(): { device: GPUDevice; endComputePassEncoder(): void; submitQueue(): void };
  tidy<T>(body: () => T): T;
  tensor(values: Float32Array, shape: readonly number[]): TfTensor;
  fused: {
    conv2d(options: { x: TfTensor; filter: TfTensor; strides: number; pad: string; bias: TfTensor }): TfTensor;
    matMul(options: { a: TfTensor; b: TfTensor; transposeA: boolean; transposeB: boolean; bias: TfTensor }): TfTensor;
  };
  matMul(a: TfTensor, b: TfTensor, transposeA: boolean, transposeB: boolean): TfTensor;
  softmax(x: TfTensor): TfTensor;
  transpose(x: TfTensor, order: readonly number[]): TfTensor;
  split(x: TfTensor, parts: number, axis: number): TfTensor[];
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  moments(x: TfTensor, axes: readonly number[], keepDims: boolean): { mean: TfTensor; variance: TfTensor };
  add(a: TfTensor, b: TfTensor | number): TfTensor;
  sub(a: TfTensor, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor | number): TfTensor;
  rsqrt(x: TfTensor): TfTensor;
  erf(x: TfTensor): TfTensor;
  sigmoid(x: TfTensor): TfTensor;
}

interface OrtTensor {
  getData(): Promise<Float32Array>;
  dispose(): void;
}

interface OrtSession {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

export interface Ort {
  env: { wasm: { numThreads: number; wasmPaths: string }; webgpu: { device: Promise<GPUDevice> }; logLevel: string };
  InferenceSession: { create(model: Uint8Array, options: { executionProviders: string[]; preferredOutputLocation: string }): Promise<OrtSession> };
  Tensor: { new (type: "float32", data: Float32Array, shape: readonly number[]): OrtTensor; fromGpuBuffer(buffer: GPUBuffer, options: { dataType: "float32"; dims: readonly number[] }): OrtTensor };
}

const folder = resolve(".cache/bench");

/** Installs what is missing. Throws if npm cannot. */
function install(): void {
  if (existsSync(join(folder, "node_modules/onnxruntime-web")) && existsSync(join(folder, "node_modules/@tensorflow/tfjs-backend-webgpu"))) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies: VERSIONS }));
  const { status } = spawnSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder, stdio: "inherit" });
  if (status !== 0) throw new Error("bench: npm could not install the peers into .cache/bench");
}

function shim(api: GPU): void {
  setFlagsFromString("--liftoff-only");
  Object.defineProperty(globalThis, "navigator", { value: { gpu: api, userAgent: "node", hardwareConcurrency: 1 }, configurable: true });
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, start?: number, size?: number) {
    const bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
    const own = bytes.buffer instanceof SharedArrayBuffer ? bytes.slice() : data;
    return writeBuffer.call(this, buffer, offset, own as BufferSource, start, size);
  };
}

/** tfjs-backend-webgpu on the adapter of `api`. */
async function loadTf(): Promise<Tf> {
  const load = createRequire(join(folder, "package.json"));
  const tf: Tf = load("@tensorflow/tfjs-core");
  load("@tensorflow/tfjs-backend-webgpu");
  await tf.setBackend("webgpu");
  await tf.ready();
  return tf;
}

/** onnxruntime-web's WebGPU execution provider. */
async function loadOrt(): Promise<Ort> {
  const dist = pathToFileURL(join(folder, "node_modules/onnxruntime-web/dist/")).href;
  const ort: Ort = await import(/* @vite-ignore */ `${dist}ort.webgpu.min.mjs`);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = dist;
  ort.env.logLevel = "error";
  return ort;
}

/** Both, or null for the one that does not work here, with the reason on stderr. */
export async function loadPeers(api: GPU): Promise<{ tf: Tf | null; ort: Ort | null }> {
  install();
  shim(api);
  const orNull = <T>(name: string, loading: Promise<T>) =>
    loading.catch((error: Error) => {
      console.error(`bench: ${name} does not run here: ${error.message}`);
      return null;
    });
  return { tf: await orNull("tfjs-backend-webgpu", loadTf()), ort: await orNull("onnxruntime-web", loadOrt()) };
}

/** An ONNX model with its input resident on the GPU. */
export async function ortRunner(ort: Ort, model: OnnxModel, values: Readonly<Record<string, Float32Array>>): Promise<{ run(count: number): Promise<void>; result(): Promise<Float32Array>; release(): Promise<void> }> {
  const session = await ort.InferenceSession.create(encodeOnnx(model), { executionProviders: ["webgpu"], preferredOutputLocation: "gpu-buffer" });
  const device = await ort.env.webgpu.device;
  const buffers: GPUBuffer[] = [];
  const feeds: Record<string, OrtTensor> = {};
  for (const [name, data] of Object.entries(values)) {
    const buffer = device.createBuffer({ size: data.byteLength, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
    device.queue.writeBuffer(buffer, 0, data.slice());
    buffers.push(buffer);
    feeds[name] = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: model.inputs[name] });
  }
  const [output] = Object.keys(model.outputs);
  return {
    async run(count) {
      for (let i = 0; i < count; i++) (await session.run(feeds))[output].dispose();
      await device.queue.onSubmittedWorkDone();
    },
    async result() {
      const out = (await session.run(feeds))[output];
      const data = await out.getData();
      out.dispose();
      return data;
    },
    async release() {
      await session.release();
      for (const buffer of buffers) buffer.destroy();
    },
  };
}

/** An operation of tfjs on tensors that stay on the GPU. */
export function tfRunner(tf: Tf, operands: Readonly<Record<string, readonly [Float32Array, readonly number[]]>>, operation: (t: Record<string, TfTensor>) => TfTensor): { run(count: number): Promise<void>; result(): Promise<Float32Array>; release(): Promise<void> } {
  const tensors = Object.fromEntries(Object.entries(operands).map(([name, [data, shape]]) => [name, tf.tensor(data, shape)]));
  const backend = tf.backend();
  return {
    async run(count) {
      for (let i = 0; i < count; i++) tf.tidy(() => operation(tensors)).dispose();
      backend.endComputePassEncoder();
      backend.submitQueue();
      await backend.device.queue.onSubmittedWorkDone();
    },
    async result() {
      const out = tf.tidy(() => operation(tensors));
      const data = await out.data();
      out.dispose();
      return data;
    },
    async release() {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    },
  };
}
