// What every decoder of text can do, and which of them a config.json means.
import type { Gpu } from "../gpu/gpu.ts";
import { ConfigError } from "../nn/config.ts";
import type { KvCache } from "../nn/kv-cache.ts";
import { packedMatrices } from "../nn/packed-matrices.ts";
import type { Weights, WeightsOptions } from "../nn/weights.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface CacheOptions {
  /** Tokens to make room for at first. */
  readonly capacity?: number;
  /** Type of keys and values; the activations' unless given. */
  readonly dtype?: "f32" | "f16";
}

export interface ForwardOptions {
  /** Of every position [B, T, V], of the last one [B, V], or of none [B, 0, V], as for all chunks of a prompt but its last. */
  readonly logits?: "all" | "last" | "none";
}

export interface CausalLm {
  readonly gpu: Gpu;
  readonly vocabSize: number;
  /** Context in tokens. */
  readonly maxPositions: number;
  /** An empty cache for `batch` sequences, which grows in steps; outlives scopes, and its owner disposes it. */
  newCache(batch: number, options?: CacheOptions): KvCache;
  /**
   * The logits f32 of what comes next, for tokens ids i32 [B, T] that follow what the cache holds; they join it. Records
   * commands only. Throws ShapeError where ids and cache do not fit each other, or past the context.
   */
  forward(ids: Tensor, cache: KvCache, options?: ForwardOptions): Tensor;
}

/** A model as its config.json describes it: what its checkpoint's names are (and that its matrices may be in blocks), and how to build it. */
export interface CausalLmBuilder {
  readonly names: Pick<WeightsOptions, "renames" | "unused" | "matrices">;
  create(weights: Weights): CausalLm;
}

/** By `model_type`. */
const BUILDERS: Readonly<Record<string, () => Promise<(json: unknown) => CausalLmBuilder>>> = {
  gemma2: async () => (await import("./gemma.ts")).gemma2,
  gemma3: async () => (await import("./gemma.ts")).gemma3Multimodal,
  gemma3_text: async () => (await import("./gemma.ts")).gemma3,
  gpt2: async () => (await import("./gpt2.ts")).gpt2,
  llama: async () => (await import("./llama.ts")).llama,
  mistral: async () => (await import("./mistral.ts")).mistral,
  mixtral: async () => (await import("./mixtral.ts")).mixtral,
  olmo2: async () => (await import("./olmo2.ts")).olmo2,
  phi3: async () => (await import("./phi3.ts")).phi3,
  qwen2: async () => (await import("./qwen.ts")).qwen2,
  qwen3: async () => (await import("./qwen.ts")).qwen3,
  qwen3_moe: async () => (await import("./qwen3-moe.ts")).qwen3Moe,
  smollm3: async () => (await import("./smollm3.ts")).smollm3,
};

/** The model that a config.json means. Throws ConfigError for a model_type that is not supported, or a config that asks for what is not. */
export async function causalLmOf(json: unknown): Promise<CausalLmBuilder> {
  const type = typeof json === "object" && json !== null && "model_type" in json ? json.model_type : undefined;
  const load = typeof type === "string" && Object.hasOwn(BUILDERS, type) ? BUILDERS[type] : undefined;
  if (!load) throw new ConfigError(`config key "model_type" expected one of ${Object.keys(BUILDERS).join(", ")}, got ${JSON.stringify(type) ?? "nothing"}`);
  const { names, create } = (await load())(json);
  return { names: { matrices: packedMatrices, ...names }, create };
}
