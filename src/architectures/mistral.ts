// Mistral (Jiang et al. 2023, arXiv 2310.06825): Llama with a sliding window, as transformers' MistralForCausalLM computes it.
import { Config } from "../nn/config.ts";
import type { CausalLmBuilder } from "./causal-lm.ts";
import { decoderBuilder, plainDecoder, readGatedMlp, readSizes, readWindow } from "./decoder-config.ts";
import { readRotary } from "./rotary-config.ts";

/** Throws ConfigError for what is not supported. */
export function mistral(json: unknown): CausalLmBuilder {
  const config = new Config("MistralForCausalLM", json);
  const sizes = readSizes(config, { keyHeads: 8, maxPositions: 131_072 });
  const window = readWindow(config, 4096);
  const feedForward = readGatedMlp(config);
  return decoderBuilder(config, {
    ...plainDecoder(sizes),
    rotary: [readRotary(config, { ...sizes, theta: 10_000 })],
    layers: Array.from({ length: sizes.layerCount }, () => ({ rotary: 0, window, feedForward })),
  });
}
