// Compute pipelines: compiled in parallel at load, kept by what made them.
import { GpuError } from "./errors.ts";

/** All that tells one pipeline from another. `key` is unique to it. */
export interface PipelineSpec {
  readonly key: string;
  readonly label: string;
  readonly code: string;
  readonly constants: Readonly<Record<string, number>>;
}

export class Pipelines {
  readonly #ready = new Map<string, GPUComputePipeline>();
  readonly #wanted = new Map<string, PipelineSpec>();
  readonly #modules = new Map<string, GPUShaderModule>();

  constructor(readonly device: GPUDevice | null) {}

  /** Notes a pipeline that a planner's run would use. */
  want(spec: PipelineSpec): void {
    this.#wanted.set(spec.key, spec);
  }

  get wanted(): readonly PipelineSpec[] {
    return [...this.#wanted.values()];
  }

  /** Compiles those not compiled yet, all at once. Throws GpuError that names the kernel. */
  async compile(specs: readonly PipelineSpec[], onProgress?: (done: number, total: number) => void): Promise<void> {
    const device = this.device;
    if (!device) return;
    const missing = specs.filter(({ key }) => !this.#ready.has(key));
    let done = 0;
    await Promise.all(
      missing.map(async (spec) => {
        try {
          this.#ready.set(spec.key, await device.createComputePipelineAsync(this.#descriptor(device, spec)));
        } catch (cause) {
          throw new GpuError("internal", `${spec.label}: the kernel did not compile (${cause instanceof Error ? cause.message : String(cause)})`);
        }
        onProgress?.(++done, missing.length);
      }),
    );
    this.#modules.clear();
  }

  /** The pipeline, compiled on the spot if nobody asked for it before. */
  get(spec: PipelineSpec): GPUComputePipeline {
    const known = this.#ready.get(spec.key);
    if (known) return known;
    if (!this.device) throw new Error("a planning GPU has no pipelines");
    const pipeline = this.device.createComputePipeline(this.#descriptor(this.device, spec));
    this.#ready.set(spec.key, pipeline);
    return pipeline;
  }

  #descriptor(device: GPUDevice, { label, code, constants }: PipelineSpec): GPUComputePipelineDescriptor {
    let module = this.#modules.get(code);
    if (!module) {
      module = device.createShaderModule({ code, label });
      this.#modules.set(code, module);
    }
    return { label, layout: "auto", compute: { module, entryPoint: "main", constants: { ...constants } } };
  }
}
