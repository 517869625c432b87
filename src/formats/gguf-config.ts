// config.json out of GGUF's metadata, as transformers writes it for the same model: the reverse of llama.cpp's conversion
// (conversion/*.py), with what that leaves to llama.cpp's own code filled in from there (src/llama-model.cpp).
import { FormatError } from "./errors.ts";
import { GgufFields } from "./gguf-fields.ts";
import type { JsonObject } from "./json.ts";

/** What the tensors say beyond the metadata. */
export interface GgufFacts {
  /** Rows of the token embedding. */
  readonly vocabSize: number;
  /** Stored as an output.weight of its own. */
  readonly hasOutput: boolean;
  readonly hasAttentionBias: boolean;
  readonly hasMlpBias: boolean;
  /** Divisors of RoPE's frequencies: rope_freqs, or rope_factors_long and rope_factors_short. */
  readonly ropeFactors: { readonly all?: readonly number[]; readonly long?: readonly number[]; readonly short?: readonly number[] };
}

/** What a network's table below reads: keys are below `<architecture>.`. */
interface Reading {
  readonly fields: GgufFields;
  readonly facts: GgufFacts;
  readonly key: (name: string) => string;
  /** Of every network here but GPT-2. */
  readonly shared: { readonly hidden_size: number; readonly num_hidden_layers: number; readonly num_attention_heads: number };
  readonly headDim: number;
}

/** general.architecture → config.json. */
const networks: Readonly<Record<string, (reading: Reading) => JsonObject>> = {
  llama: (reading) => {
    const experts = reading.fields.number(reading.key("expert_count")) ?? 0;
    const window = reading.fields.number(reading.key("attention.sliding_window")) ?? 0;
    if (experts > 0) return mixtral(reading, experts, window);
    if (window > 0) return { ...decoder("mistral", "MistralForCausalLM", reading), ...llamaRope(reading), sliding_window: window };
    return { ...decoder("llama", "LlamaForCausalLM", reading), ...biases(reading), ...llamaRope(reading) };
  },
  smollm3: (reading) => {
    const layers = reading.shared.num_hidden_layers;
    return {
      ...decoder("smollm3", "SmolLM3ForCausalLM", reading), ...biases(reading), ...llamaRope(reading),
      no_rope_layer_interval: 4, // the same in every published model: no key holds it
      no_rope_layers: Array.from({ length: layers }, (_, i) => ((i + 1) % 4 === 0 ? 0 : 1)),
      use_sliding_window: false,
    };
  },
  qwen2: (reading) => ({ ...decoder("qwen2", "Qwen2ForCausalLM", reading), ...rope(reading), use_sliding_window: false }),
  qwen3: (reading) => ({ ...decoder("qwen3", "Qwen3ForCausalLM", reading), ...rope(reading), attention_bias: reading.facts.hasAttentionBias, use_sliding_window: false }),
  qwen3moe: (reading) => {
    const { fields, key } = reading;
    fields.expect(key("expert_shared_count"), 0);
    fields.expect(key("expert_weights_scale"), 1, 0);
    fields.expect(key("expert_weights_norm"), true);
    fields.expect(key("expert_gating_func"), 1); // softmax
    return {
      ...decoder("qwen3_moe", "Qwen3MoeForCausalLM", reading), ...rope(reading), attention_bias: reading.facts.hasAttentionBias, use_sliding_window: false,
      num_experts: fields.count(key("expert_count")), num_experts_per_tok: fields.count(key("expert_used_count")),
      moe_intermediate_size: fields.count(key("expert_feed_forward_length")),
      norm_topk_prob: true, decoder_sparse_step: 1, mlp_only_layers: [],
    };
  },
  phi3: (reading) => {
    const { fields, key, headDim } = reading;
    const rotary = fields.count(key("rope.dimension_count"), headDim);
    const window = fields.number(key("attention.sliding_window")) ?? 0; // 0: none, as in Phi-4
    const original = fields.number(key("rope.scaling.original_context_length"));
    return {
      ...decoder("phi3", "Phi3ForCausalLM", reading), ...rope(reading, rotary),
      ...(original === null ? {} : { original_max_position_embeddings: original }),
      partial_rotary_factor: rotary / headDim, sliding_window: window > 0 ? window : null,
    };
  },
  olmo2: (reading) => {
    reading.fields.expect(reading.key("attention.sliding_window"), 0); // OLMo 3
    return { ...decoder("olmo2", "Olmo2ForCausalLM", reading), ...rope(reading), attention_bias: reading.facts.hasAttentionBias };
  },
  gemma2: (reading) => {
    const { fields, key, shared } = reading;
    return {
      ...gemma("gemma2", "Gemma2ForCausalLM", reading, shared.num_hidden_layers === 46), ...rope(reading),
      sliding_window: fields.count(key("attention.sliding_window"), 4096),
      attn_logit_softcapping: fields.number(key("attn_logit_softcapping")) ?? 50,
      final_logit_softcapping: fields.number(key("final_logit_softcapping")) ?? 30,
      layer_types: layerTypes(reading, 2),
    };
  },
  gemma3: (reading) => {
    const { fields, key, shared } = reading;
    const scaled = rope(reading, reading.headDim, 1_000_000);
    const softCap = (name: string): number | null => fields.number(key(name)) || null;
    return {
      ...gemma("gemma3_text", "Gemma3ForCausalLM", reading, shared.num_hidden_layers === 62), ...scaled,
      rope_local_base_freq: fields.number(key("rope.freq_base_swa")) ?? 10_000,
      sliding_window: fields.count(key("attention.sliding_window")),
      attn_logit_softcapping: softCap("attn_logit_softcapping"), final_logit_softcapping: softCap("final_logit_softcapping"),
      layer_types: layerTypes(reading, 6),
    };
  },
  gpt2: ({ fields, key, facts, shared }) => ({
    model_type: "gpt2", architectures: ["GPT2LMHeadModel"],
    n_embd: shared.hidden_size, n_layer: shared.num_hidden_layers, n_head: shared.num_attention_heads,
    n_inner: fields.count(key("feed_forward_length"), 4 * shared.hidden_size),
    n_positions: fields.count(key("context_length")), n_ctx: fields.count(key("context_length")),
    layer_norm_epsilon: fields.number(key("attention.layer_norm_epsilon")) ?? 1e-5,
    activation_function: "gelu_new", vocab_size: facts.vocabSize, tie_word_embeddings: !facts.hasOutput,
  }),
};

const maxLayers = 4096; // lists of layers are made from it

export const ggufArchitectures: readonly string[] = Object.keys(networks);

/** Reads the network's configuration. Throws FormatError naming an architecture, or a key of it, that is not supported. */
export function configOfGguf(fields: GgufFields, facts: GgufFacts): JsonObject {
  const architecture = fields.string("general.architecture");
  if (architecture === null) throw new FormatError(`${fields.name}: metadata "general.architecture" is missing`);
  if (!Object.hasOwn(networks, architecture)) {
    throw new FormatError(`${fields.name}: a model of the architecture ${JSON.stringify(architecture.slice(0, 64))} is not supported, only ${ggufArchitectures.join(", ")}`);
  }
  fields.expect("general.type", "model");
  const key = (name: string): string => `${architecture}.${name}`;
  const shared = {
    hidden_size: fields.count(key("embedding_length")),
    num_hidden_layers: fields.count(key("block_count")),
    num_attention_heads: fields.count(key("attention.head_count")),
  };
  if (shared.num_hidden_layers > maxLayers) throw new FormatError(`${fields.name}: metadata "${key("block_count")}" is ${shared.num_hidden_layers}, at most ${maxLayers} layers expected`);
  const dimensions = ["llama", "smollm3"].includes(architecture) ? fields.number(key("rope.dimension_count")) : null;
  const headDim = fields.number(key("attention.key_length")) ?? dimensions ?? shared.hidden_size / shared.num_attention_heads;
  if (!Number.isInteger(headDim) || headDim <= 0) throw new FormatError(`${fields.name}: heads of ${headDim} channels are not supported`);
  fields.expect(key("attention.value_length"), headDim);
  fields.expect(key("attention.causal"), true);
  fields.expect(key("use_parallel_residual"), false);
  fields.expect(key("logit_scale"), 0, 1);
  fields.expect(key("residual_scale"), 0, 1);
  fields.expect(key("attention.clamp_kqv"), 0);
  fields.expect(key("attention.max_alibi_bias"), 0);
  fields.ignore(...["vocab_size", "tensor_data_layout", "expert_used_count", "rope.scaling.finetuned"].map(key));
  fields.expect(key("leading_dense_block_count"), 0);
  const config = networks[architecture]({ fields, facts, key, shared, headDim });
  if (architecture !== "phi3") fields.expect(key("rope.dimension_count"), headDim);
  fields.finish(`${architecture}.`);
  return { ...config, torch_dtype: "float32" };
}

/** The keys that all RMS-normed decoders share. */
function decoder(modelType: string, className: string, { fields, facts, key, shared, headDim }: Reading): JsonObject {
  return {
    model_type: modelType, architectures: [className], ...shared, head_dim: headDim,
    num_key_value_heads: fields.count(key("attention.head_count_kv"), shared.num_attention_heads),
    intermediate_size: fields.count(key("feed_forward_length")),
    max_position_embeddings: fields.count(key("context_length")),
    rms_norm_eps: fields.required(key("attention.layer_norm_rms_epsilon")),
    hidden_act: "silu", vocab_size: facts.vocabSize, tie_word_embeddings: !facts.hasOutput,
  };
}

/** Gemma scales queries by head_dim^(−1/2), in its largest size by (hidden_size / heads)^(−1/2); no key tells. */
function gemma(modelType: string, className: string, reading: Reading, largest: boolean): JsonObject {
  const { hidden_size: hidden, num_attention_heads: heads } = reading.shared;
  return {
    ...decoder(modelType, className, reading), hidden_act: "gelu_pytorch_tanh", hidden_activation: "gelu_pytorch_tanh",
    query_pre_attn_scalar: largest ? hidden / heads : reading.headDim, attention_bias: reading.facts.hasAttentionBias,
  };
}

function mixtral(reading: Reading, experts: number, window: number): JsonObject {
  const { fields, key } = reading;
  return {
    ...decoder("mixtral", "MixtralForCausalLM", reading), ...llamaRope(reading),
    num_local_experts: experts, num_experts_per_tok: fields.count(key("expert_used_count")), sliding_window: window > 0 ? window : null,
  };
}

function biases({ facts }: Reading): JsonObject {
  return { attention_bias: facts.hasAttentionBias, mlp_bias: facts.hasMlpBias };
}

/** Which layers see a window and which the whole context: every `fallback`-th the latter, unless the file says otherwise. */
function layerTypes({ fields, key, shared }: Reading, fallback: number): string[] {
  const stored = fields.raw(key("attention.sliding_window_pattern"));
  const layers = Array.from({ length: shared.num_hidden_layers }, (_, i) => i);
  if (stored === undefined || typeof stored === "number") {
    const period = stored ?? fallback;
    return layers.map((i) => ((i + 1) % period === 0 ? "full_attention" : "sliding_attention"));
  }
  if (typeof stored !== "object" || stored.length !== layers.length) throw new FormatError(`${fields.name}: metadata "${key("attention.sliding_window_pattern")}" has no value for each of ${layers.length} layers`);
  return layers.map((i) => (stored[i] ? "sliding_attention" : "full_attention"));
}

/** RoPE's base and scaling. `dimensions` of a head are turned. */
function rope({ fields, facts, key }: Reading, dimensions?: number, base = 10_000): { rope_theta: number; rope_scaling: JsonObject | null } {
  const rope_theta = fields.number(key("rope.freq_base")) ?? base;
  const type = fields.string(key("rope.scaling.type")) ?? "linear";
  const factor = fields.number(key("rope.scaling.factor")) ?? fields.number(key("rope.scale_linear")) ?? 1;
  const original = fields.number(key("rope.scaling.original_context_length"));
  const attention = fields.number(key("rope.scaling.attn_factor"));
  const { long, short } = facts.ropeFactors;
  if (long !== undefined && short !== undefined) {
    if (dimensions !== undefined && long.length !== dimensions / 2) throw new FormatError(`${fields.name}: rope_factors_long has ${long.length} factors for ${dimensions} dimensions`);
    const rope_scaling = {
      rope_type: "longrope", long_factor: long, short_factor: short,
      ...(original === null ? {} : { original_max_position_embeddings: original }), ...(attention === null ? {} : { attention_factor: attention }),
    };
    return { rope_theta, rope_scaling };
  }
  if (type === "yarn") {
    fields.expect(key("rope.scaling.yarn_ext_factor"), 1);
    fields.expect(key("rope.scaling.attn_factor"), 1);
    fields.expect(key("rope.scaling.yarn_log_multiplier"), 0);
    const beta_fast = fields.number(key("rope.scaling.yarn_beta_fast")) ?? 32;
    const beta_slow = fields.number(key("rope.scaling.yarn_beta_slow")) ?? 1;
    const factorOfScores = fields.number(key("rope.scaling.yarn_attn_factor"));
    const rope_scaling = { rope_type: "yarn", factor, beta_fast, beta_slow, ...(original === null ? {} : { original_max_position_embeddings: original }), ...(factorOfScores === null ? {} : { attention_factor: factorOfScores }) };
    return { rope_theta, rope_scaling: factor === 1 ? null : rope_scaling };
  }
  if (type !== "linear" && type !== "none") throw new FormatError(`${fields.name}: metadata "${key("rope.scaling.type")}" is ${JSON.stringify(type.slice(0, 64))}, which is not supported`);
  const scaled = type === "linear" && factor !== 1 && factor !== 0;
  return { rope_theta, rope_scaling: scaled ? { rope_type: "linear", factor } : null };
}

/** As `rope`; the factors of Llama 3.1 are stored as they come out, in a tensor, and their parameters are found again. */
function llamaRope(reading: Reading): JsonObject {
  const { facts, fields, headDim, key } = reading;
  const plain = rope(reading);
  const factors = facts.ropeFactors.all;
  if (factors === undefined || factors.every((factor) => factor === 1)) return plain;
  if (factors.length !== headDim / 2) throw new FormatError(`${fields.name}: rope_freqs has ${factors.length} factors for heads of ${headDim} channels`);
  if (plain.rope_scaling !== null) throw new FormatError(`${fields.name}: rope_freqs together with "${key("rope.scaling.type")}" is not supported`);
  const factor = Math.max(...factors);
  const candidate = { rope_type: "llama3", factor, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
  const expected = llama3Factors(plain.rope_theta, headDim, candidate);
  if (factors.every((value, i) => Math.abs(value - expected[i]) <= 1e-3 * value)) return { ...plain, rope_scaling: candidate };
  const context = fields.count(key("context_length")); // any other factors, in the one form of transformers that holds a list
  return { ...plain, rope_scaling: { rope_type: "longrope", long_factor: factors, short_factor: factors, attention_factor: 1, original_max_position_embeddings: context } };
}

/** Llama 3.1's divisors of the frequencies: 1 where the wave is short, `factor` where it is long, a ramp between. */
function llama3Factors(theta: number, headDim: number, scaling: { factor: number; low_freq_factor: number; high_freq_factor: number; original_max_position_embeddings: number }): number[] {
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original } = scaling;
  return Array.from({ length: headDim / 2 }, (_, i) => {
    const turns = original / (2 * Math.PI * theta ** ((2 * i) / headDim));
    const ramp = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return 1 / ((1 - ramp) / factor + ramp);
  });
}
