// Qwen 3 with a mixture of experts (Yang et al. 2025, arXiv 2505.09388), as transformers' Qwen3MoeForCausalLM computes it.
import { Config, ConfigError } from "../nn/config.ts";
import type { CausalLmBuilder } from "./causal-lm.ts";
import { decoderBuilder, plainDecoder, readActivation, readGatedMlp, readSizes } from "./decoder-config.ts";
import { type ExpertsConfig, readExpertCounts } from "./experts.ts";
import { readRotary } from "./rotary-config.ts";

/** Every `decoder_sparse_step`th layer has experts, but those that `mlp_only_layers` names. Throws ConfigError for what is not supported. */
export function qwen3Moe(json: unknown): CausalLmBuilder {
  const config = new Config("Qwen3MoeForCausalLM", json);
  const sizes = readSizes(config, { heads: 32, keyHeads: 4, maxPositions: 32_768, vocabSize: 151_936 });
  const bias = config.boolean("attention_bias", false);
  config.oneOf("use_sliding_window", [false], false);
  const gated = readGatedMlp(config);
  const experts: ExpertsConfig = {
    kind: "experts",
    ...readExpertCounts(config, "num_experts", { count: 128, used: 8 }),
    width: config.count("moe_intermediate_size", 768),
    activation: readActivation(config, "hidden_act", "silu"),
    normalised: config.boolean("norm_topk_prob", false),
  };
  const step = config.count("decoder_sparse_step", 1);
  const plain = config.get("mlp_only_layers") ?? [];
  if (!Array.isArray(plain)) throw new ConfigError(`${config.name}: config key "mlp_only_layers" expected a list of layers, got ${JSON.stringify(plain)}`);
  const has = (layer: number) => !plain.includes(layer) && (layer + 1) % step === 0;
  config.ignore("sliding_window", "max_window_layers", "output_router_logits", "router_aux_loss_coef");
  return decoderBuilder(config, {
    ...plainDecoder(sizes),
    attentionBias: [bias, bias],
    queryNorm: "head",
    rotary: [readRotary(config, { ...sizes, theta: 10_000 })],
    layers: Array.from({ length: sizes.layerCount }, (_, layer) => ({ rotary: 0, window: null, feedForward: has(layer) ? experts : gated })),
  });
}
