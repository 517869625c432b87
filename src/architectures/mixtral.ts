// Mixtral (Jiang et al. 2024, arXiv 2401.04088): Mistral with a mixture of experts, as transformers' MixtralForCausalLM computes it.
import { Config } from "../nn/config.ts";
import type { CausalLmBuilder } from "./causal-lm.ts";
import { decoderBuilder, plainDecoder, readActivation, readSizes, readWindow } from "./decoder-config.ts";
import { type ExpertsConfig, readExpertCounts } from "./experts.ts";
import { readRotary } from "./rotary-config.ts";

/** The published names of an expert's three matrices. */
const RENAMES = [
  [/\.block_sparse_moe\.(experts\.\d+\.)w1\./, ".mlp.$1gate_proj."],
  [/\.block_sparse_moe\.(experts\.\d+\.)w2\./, ".mlp.$1down_proj."],
  [/\.block_sparse_moe\.(experts\.\d+\.)w3\./, ".mlp.$1up_proj."],
  [/\.block_sparse_moe\./, ".mlp."],
] as const;

/** Throws ConfigError for what is not supported. */
export function mixtral(json: unknown): CausalLmBuilder {
  const config = new Config("MixtralForCausalLM", json);
  const sizes = readSizes(config, { heads: 32, keyHeads: 8, maxPositions: 131_072, eps: 1e-5, vocabSize: 32_000 });
  const window = readWindow(config, null);
  const feedForward: ExpertsConfig = {
    kind: "experts",
    ...readExpertCounts(config, "num_local_experts", { count: 8, used: 2 }),
    width: config.count("intermediate_size", 14_336),
    activation: readActivation(config, "hidden_act", "silu"),
    normalised: true,
  };
  config.ignore("output_router_logits", "router_aux_loss_coef", "router_jitter_noise");
  const { names, create } = decoderBuilder(config, {
    ...plainDecoder(sizes),
    rotary: [readRotary(config, { ...sizes, theta: 1_000_000 })],
    layers: Array.from({ length: sizes.layerCount }, () => ({ rotary: 0, window, feedForward })),
  });
  return { names: { ...names, renames: [...(names.renames ?? []), ...RENAMES] }, create };
}
