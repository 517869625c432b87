// Llama 1 to 3 (Touvron et al. 2023, arXiv 2302.13971; Grattafiori et al. 2024, arXiv 2407.21783), as transformers' LlamaForCausalLM computes it.
import { Config } from "../nn/config.ts";
import type { CausalLmBuilder } from "./causal-lm.ts";
import { decoderBuilder, plainDecoder, readGatedMlp, readSizes } from "./decoder-config.ts";
import { readRotary } from "./rotary-config.ts";

/** Throws ConfigError for what is not supported. */
export function llama(json: unknown): CausalLmBuilder {
  const config = new Config("LlamaForCausalLM", json);
  const sizes = readSizes(config);
  const bias = config.boolean("attention_bias", false);
  const feedForward = readGatedMlp(config, { bias: config.boolean("mlp_bias", false) });
  return decoderBuilder(config, {
    ...plainDecoder(sizes),
    attentionBias: [bias, bias],
    rotary: [readRotary(config, { ...sizes, theta: 10_000 })],
    layers: Array.from({ length: sizes.layerCount }, () => ({ rotary: 0, window: null, feedForward })),
  });
}
