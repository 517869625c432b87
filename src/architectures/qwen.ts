// Qwen 2 and 3 (Yang et al. 2024, arXiv 2407.10671; 2025, arXiv 2505.09388), as transformers' Qwen2ForCausalLM and Qwen3ForCausalLM compute them.
import { Config } from "../nn/config.ts";
import type { CausalLmBuilder } from "./causal-lm.ts";
import type { DecoderConfig } from "./decoder.ts";
import { decoderBuilder, type DecoderSizes, plainDecoder, readGatedMlp, readLayerTypes, readSizes, readWindow } from "./decoder-config.ts";
import type { FeedForwardConfig } from "./feed-forward.ts";
import { readRotary } from "./rotary-config.ts";

/** Biases of queries, keys and values. Throws ConfigError for what is not supported. */
export function qwen2(json: unknown): CausalLmBuilder {
  const config = new Config("Qwen2ForCausalLM", json);
  const sizes = readSizes(config, { maxPositions: 32_768 });
  return decoderBuilder(config, { ...plainDecoder(sizes), ...readLayers(config, sizes, readGatedMlp(config)), attentionBias: [true, false] });
}

/** A norm of each head's queries and keys. Throws ConfigError for what is not supported. */
export function qwen3(json: unknown): CausalLmBuilder {
  const config = new Config("Qwen3ForCausalLM", json);
  const sizes = readSizes(config, { maxPositions: 32_768, headSize: 128 });
  const bias = config.boolean("attention_bias", false);
  return decoderBuilder(config, { ...plainDecoder(sizes), ...readLayers(config, sizes, readGatedMlp(config)), attentionBias: [bias, bias], queryNorm: "head" });
}

/** Later layers may have a sliding window. */
export function readLayers(config: Config, sizes: DecoderSizes, feedForward: FeedForwardConfig): Pick<DecoderConfig, "rotary" | "layers"> {
  const written = readWindow(config, 4096);
  const window = config.boolean("use_sliding_window", false) ? written : null;
  const full = config.number("max_window_layers", 28);
  const types = readLayerTypes(config, sizes.layerCount, (layer) => (window !== null && layer >= full ? "sliding_attention" : "full_attention"));
  return {
    rotary: [readRotary(config, { ...sizes, theta: 10_000 })],
    layers: types.map((type) => ({ rotary: 0, window: type === "sliding_attention" ? window : null, feedForward })),
  };
}
