// One GPU as everything above sees it: memory, pipelines, recorded commands, scopes. With no device it plans: the same code runs, counts bytes and work, and launches nothing.
import { fromUncaptured, GpuError } from "./errors.ts";
import { ParamsArena, type ParamsSlot } from "./params.ts";
import { Pipelines, type PipelineSpec } from "./pipelines.ts";
import { Profiler } from "./profiler.ts";
import { type Scope, ScopeStack } from "./scope.ts";
import { Memory, type MemoryUse, type Storage } from "./storage.ts";

/** The limits that kernels look at. */
export interface Limits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly minStorageBufferOffsetAlignment: number;
}

/** What this device has above the f32 baseline. */
export interface Features {
  readonly f16: boolean;
  readonly subgroups: boolean;
  readonly timestamps: boolean;
}

/** What kind of GPU it is; kernels choose among their variants by it. */
export interface Traits {
  /** The CPU plays the GPU, as lavapipe and SwiftShader do. */
  readonly software: boolean;
  /** Invocations in the smallest subgroup; 0 where it is not told. */
  readonly subgroupSize: number;
}

/** Some bytes of a buffer, as a kernel binds them. */
export interface Binding {
  readonly storage: Storage;
  readonly offset: number;
  readonly bytes: number;
}

/** One launch of a kernel. `flops` and `bytes` feed the profiler and the plan. */
export interface Dispatch {
  readonly spec: PipelineSpec;
  readonly bindings: readonly Binding[];
  readonly params: Uint32Array<ArrayBuffer> | null;
  readonly workgroups: readonly [number, number, number];
  readonly flops: number;
  readonly bytes: number;
}

/** Submit after so many launches, or so much arithmetic: long submits starve the page and wake the system's watchdog. */
const BATCH = { dispatches: 128, flops: 40e9 };

/** WebGPU's guaranteed limits, for planning where no adapter is at hand. */
export const DEFAULT_LIMITS: Limits = {
  maxBufferSize: 256 * 2 ** 20,
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupsPerDimension: 65535,
  minStorageBufferOffsetAlignment: 256,
};

export class Gpu {
  readonly memory: Memory;
  readonly pipelines: Pipelines;
  profiler: Profiler | null = null;
  /** Launches and floating-point operations since the start. */
  readonly work = { dispatches: 0, flops: 0 };

  readonly #scopes = new ScopeStack(() => this.memory.meter());
  readonly #params: ParamsArena | null;
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #pending = { dispatches: 0, flops: 0 };
  #error: GpuError | null = null;

  /** `device` null makes a planner. */
  constructor(readonly device: GPUDevice | null, readonly limits: Limits, readonly features: Features, readonly adapterName = "none", readonly traits: Traits = { software: false, subgroupSize: 0 }) {
    this.memory = new Memory(device, limits.maxBufferSize, () => this.flush());
    this.pipelines = new Pipelines(device);
    this.#params = device && new ParamsArena(device);
    device?.lost.then(({ message }) => this.#fail(new GpuError("lost", `The GPU device was lost (${message.trim() || "no reason given"})`)));
    device?.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#fail(fromUncaptured(event.error));
    });
  }

  /** A Gpu of the same limits and features that only counts. */
  planner(): Gpu {
    return new Gpu(null, this.limits, this.features, this.adapterName, this.traits);
  }

  get planning(): boolean {
    return this.device === null;
  }

  /** The first error of this device, after which its results are worth nothing and a new Gpu is needed. */
  get error(): GpuError | null {
    return this.#error;
  }

  get memoryUse(): MemoryUse {
    return this.memory.use;
  }

  /** Frees, when closed, what was made since; see Scope. */
  scope(): Scope {
    return this.#scopes.open();
  }

  get openScope(): Scope | null {
    return this.#scopes.top;
  }

  /** Records a launch. Throws GpuError if the device has failed. */
  dispatch({ spec, bindings, params, workgroups, flops, bytes }: Dispatch): void {
    this.work.dispatches++;
    this.work.flops += flops;
    if (this.planning) {
      this.pipelines.want(spec);
      this.profiler?.record(spec.label, flops, bytes);
      return;
    }
    this.#expectHealthy();
    const pipeline = this.pipelines.get(spec);
    const slot = params && this.#params ? this.#params.slot(params) : null;
    const timestampWrites = this.profiler?.record(spec.label, flops, bytes);
    if (timestampWrites) this.#endPass();
    const pass = this.#openPass(timestampWrites);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, this.#bindGroup(pipeline, spec, bindings, slot));
    pass.dispatchWorkgroups(...workgroups);
    if (timestampWrites) this.#endPass();
    this.#pending.dispatches++;
    this.#pending.flops += flops;
    if (this.#pending.dispatches >= BATCH.dispatches || this.#pending.flops >= BATCH.flops) this.flush();
  }

  /** Records a copy between two buffers; offsets and size in bytes, multiples of 4. */
  copy(from: Binding, to: Binding): void {
    if (this.planning || !from.storage.buffer || !to.storage.buffer) return;
    this.#expectHealthy();
    this.#endPass();
    this.#openEncoder().copyBufferToBuffer(from.storage.buffer, from.offset, to.storage.buffer, to.offset, Math.ceil(from.bytes / 4) * 4);
  }

  /** Writes bytes (a multiple of 4) at an offset, after everything recorded so far. */
  write(storage: Storage, offset: number, data: Uint8Array<ArrayBuffer>): void {
    if (!storage.buffer || !this.device) return;
    this.#expectHealthy();
    this.flush();
    this.device.queue.writeBuffer(storage.buffer, offset, data);
  }

  /** Reads bytes back once everything recorded so far is done. Throws GpuError. */
  async read({ storage, offset, bytes }: Binding): Promise<ArrayBuffer> {
    if (!this.device || !storage.buffer) throw new Error("read: a planning GPU holds no values");
    const size = Math.ceil(bytes / 4) * 4;
    this.#expectHealthy();
    const staging = this.device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST, label: "read back" });
    try {
      this.#endPass();
      this.#openEncoder().copyBufferToBuffer(storage.buffer, offset, staging, 0, size);
      this.flush();
      await this.#orFail(staging.mapAsync(GPUMapMode.READ));
      return staging.getMappedRange().slice(0, bytes);
    } finally {
      staging.destroy();
    }
  }

  /** Submits what was recorded. */
  flush(): void {
    this.#endPass();
    if (!this.#encoder || !this.device) return;
    const commands = this.#encoder.finish();
    this.#encoder = null;
    this.#pending = { dispatches: 0, flops: 0 };
    this.device.queue.submit([commands]);
    if (this.#params?.full) {
      this.#params.clear();
      this.#bindGroups.clear();
    }
  }

  /** Submits, and waits until the GPU has done it all. Throws GpuError. */
  async done(): Promise<void> {
    if (!this.device) return;
    this.flush();
    this.#expectHealthy();
    await this.#orFail(this.device.queue.onSubmittedWorkDone());
    this.#expectHealthy();
  }

  /** Gives buffers that nobody uses back to the system. */
  trim(): void {
    this.memory.trim();
    this.#bindGroups.clear();
  }

  /** Ends this Gpu; its tensors are worth nothing afterwards. */
  destroy(): void {
    this.#error ??= new GpuError("lost", "This GPU was disposed");
    this.#encoder = null;
    this.#pass = null;
    this.device?.destroy();
  }

  #fail(error: GpuError): void {
    this.#error ??= error;
  }

  #expectHealthy(): void {
    if (this.#error) throw this.#error;
  }

  /** Our typed error instead of the browser's, where the device failed meanwhile. */
  async #orFail<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (cause) {
      await Promise.resolve(); // `lost` and `uncapturederror` may tell more in the same turn
      this.#fail(new GpuError("lost", `The GPU did not answer (${cause instanceof Error ? cause.message : String(cause)})`));
      throw this.#error;
    }
  }

  #openEncoder(): GPUCommandEncoder {
    if (!this.device) throw new Error("a planning GPU records nothing");
    this.#encoder ??= this.device.createCommandEncoder();
    return this.#encoder;
  }

  #openPass(timestampWrites?: GPUComputePassTimestampWrites): GPUComputePassEncoder {
    this.#pass ??= this.#openEncoder().beginComputePass({ timestampWrites });
    return this.#pass;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  /** Pools hand out the same buffers in the same order every step, so that most bind groups are found again. */
  #bindGroup(pipeline: GPUComputePipeline, spec: PipelineSpec, bindings: readonly Binding[], slot: ParamsSlot | null): GPUBindGroup {
    let key = spec.key;
    for (const { storage, offset, bytes } of bindings) key += `|${storage.id},${offset},${bytes}`;
    if (slot) key += `|${slot.id}`;
    const known = this.#bindGroups.get(key);
    if (known) return known;
    const entries: GPUBindGroupEntry[] = bindings.map(({ storage, offset, bytes }, binding) => {
      if (!storage.buffer || storage.released) throw new Error(`${spec.label}: operand ${binding} was disposed`);
      return { binding, resource: { buffer: storage.buffer, offset, size: Math.ceil(bytes / 4) * 4 } };
    });
    if (slot) entries.push({ binding: entries.length, resource: { buffer: slot.buffer, offset: slot.offset, size: slot.size } });
    const group = (this.device as GPUDevice).createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    if (this.#bindGroups.size > 8192) this.#bindGroups.clear();
    this.#bindGroups.set(key, group);
    return group;
  }
}
