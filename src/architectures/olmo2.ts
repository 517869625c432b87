// OLMo 2 (OLMo Team 2024, arXiv 2501.00656): norms after each part instead of before, and of all queries and keys at once, as transformers' Olmo2ForCausalLM computes it.
import { Config } from "../nn/config.ts";
import type { CausalLmBuilder } from "./causal-lm.ts";
import { decoderBuilder, plainDecoder, readGatedMlp, readSizes } from "./decoder-config.ts";
import { readRotary } from "./rotary-config.ts";

/** Throws ConfigError for what is not supported. */
export function olmo2(json: unknown): CausalLmBuilder {
  const config = new Config("Olmo2ForCausalLM", json);
  const sizes = readSizes(config, { eps: 1e-5 });
  const bias = config.boolean("attention_bias", false);
  const feedForward = readGatedMlp(config);
  return decoderBuilder(config, {
    ...plainDecoder(sizes),
    norms: "after",
    queryNorm: "width",
    attentionBias: [bias, bias],
    rotary: [readRotary(config, { ...sizes, theta: 10_000 })],
    layers: Array.from({ length: sizes.layerCount }, () => ({ rotary: 0, window: null, feedForward })),
  });
}
