// From the browser's (or Node's) WebGPU to a Gpu: the adapter's full limits, the features we use where they exist.
import { GpuError } from "./errors.ts";
import { Gpu, type Features, type Limits, type Traits } from "./gpu.ts";

export interface GpuOptions {
  /** Where `requestAdapter` is; default `navigator.gpu`. In Node: `create([])` of npm `webgpu`. */
  readonly gpu?: GPU;
  /** The caller's own device, shared with us; its limits and features are taken as they are. */
  readonly device?: GPUDevice;
  readonly powerPreference?: GPUPowerPreference;
  /** Ask for less than the adapter has, as tests of small devices do. */
  readonly limits?: Partial<Limits>;
  /** Switch features off that the adapter has. */
  readonly features?: Partial<Features>;
}

const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBuffersPerShaderStage",
] as const;

/** A new Gpu. Throws GpuError: no WebGPU, no adapter, or no device. */
export async function requestGpu(options: GpuOptions = {}): Promise<Gpu> {
  if (options.device) return new Gpu(options.device, limitsOf(options.device.limits, options.limits), featuresOf(options.device.features, options.features), "the caller's device", traitsOf(options.device.adapterInfo));
  const adapter = await requestAdapter(options);
  const features = featuresOf(adapter.features, options.features);
  const requiredFeatures: GPUFeatureName[] = [];
  if (features.f16) requiredFeatures.push("shader-f16");
  if (features.subgroups) requiredFeatures.push("subgroups");
  if (features.timestamps) requiredFeatures.push("timestamp-query");
  const requiredLimits: Record<string, number> = {};
  for (const name of LIMITS) requiredLimits[name] = adapter.limits[name];
  for (const [name, value] of Object.entries(options.limits ?? {})) if (name.startsWith("max")) requiredLimits[name] = value;
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits }).catch((cause: Error) => {
    throw new GpuError("unsupported", `The GPU gave no device (${cause.message})`);
  });
  const { vendor, architecture, description } = adapter.info;
  return new Gpu(device, limitsOf(device.limits, options.limits), features, [vendor, architecture, description].filter(Boolean).join(" ") || "unnamed adapter", traitsOf(adapter.info));
}

/** Whether this environment has WebGPU and what it offers, for a page to say so before anything loads. */
export async function detectGpu(options: GpuOptions = {}): Promise<{ adapter: string; limits: Limits; features: Features } | { error: GpuError }> {
  try {
    const adapter = await requestAdapter(options);
    return { adapter: adapter.info.description || adapter.info.vendor, limits: limitsOf(adapter.limits, options.limits), features: featuresOf(adapter.features, options.features) };
  } catch (error) {
    if (error instanceof GpuError) return { error };
    throw error;
  }
}

async function requestAdapter({ gpu, powerPreference = "high-performance" }: GpuOptions): Promise<GPUAdapter> {
  const api = gpu ?? globalThis.navigator?.gpu;
  if (!api) {
    const insecure = globalThis.isSecureContext === false;
    throw new GpuError("no-webgpu", insecure ? "This page came over plain http, where browsers hide WebGPU" : "This browser has no WebGPU");
  }
  const adapter = await api.requestAdapter({ powerPreference });
  if (!adapter) throw new GpuError("no-webgpu", "WebGPU is there, but it found no graphics adapter", "Switch hardware acceleration on in the browser's settings and update the graphics driver");
  return adapter;
}

function limitsOf(limits: GPUSupportedLimits, override: Partial<Limits> = {}): Limits {
  return {
    maxBufferSize: limits.maxBufferSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    minStorageBufferOffsetAlignment: limits.minStorageBufferOffsetAlignment,
    ...override,
  };
}

function featuresOf(has: GPUSupportedFeatures, override: Partial<Features> = {}): Features {
  const found = { f16: has.has("shader-f16"), subgroups: has.has("subgroups"), timestamps: has.has("timestamp-query") };
  return {
    f16: found.f16 && override.f16 !== false,
    subgroups: found.subgroups && override.subgroups !== false,
    timestamps: found.timestamps && override.timestamps !== false,
  };
}

/** Some browsers leave the information out. */
function traitsOf(info: Partial<GPUAdapterInfo> | undefined): Traits {
  return { software: info?.isFallbackAdapter ?? false, subgroupSize: info?.subgroupMinSize ?? 0 };
}
