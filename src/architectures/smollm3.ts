// SmolLM3 (Bakouch et al. 2025): Llama in which some layers know no positions (NoPE, Kazemnejad et al. 2023, arXiv 2305.19466), as transformers' SmolLM3ForCausalLM computes it.
import { Config, ConfigError } from "../nn/config.ts";
import type { CausalLmBuilder } from "./causal-lm.ts";
import { decoderBuilder, plainDecoder, readGatedMlp, readLayerTypes, readSizes, readWindow } from "./decoder-config.ts";
import { readRotary } from "./rotary-config.ts";

/** Throws ConfigError for what is not supported. */
export function smollm3(json: unknown): CausalLmBuilder {
  const config = new Config("SmolLM3ForCausalLM", json);
  const sizes = readSizes(config, { tied: true, keyHeads: 4, maxPositions: 32_768 });
  const positioned = readPositioned(config, sizes.layerCount);
  const written = readWindow(config, null);
  const window = config.boolean("use_sliding_window", false) ? written : null;
  config.ignore("max_window_layers");
  const types = readLayerTypes(config, sizes.layerCount, (layer) => (window !== null && !positioned[layer] ? "sliding_attention" : "full_attention"));
  const bias = config.boolean("attention_bias", false);
  const feedForward = readGatedMlp(config, { bias: config.boolean("mlp_bias", false) });
  return decoderBuilder(config, {
    ...plainDecoder(sizes),
    attentionBias: [bias, bias],
    rotary: [readRotary(config, { ...sizes, theta: 2_000_000 })],
    layers: types.map((type, i) => ({ rotary: positioned[i] ? 0 : null, window: type === "sliding_attention" ? window : null, feedForward })),
  });
}

/** Which layers turn queries and keys: `no_rope_layers` has 1 for those, else all but each `no_rope_layer_interval`th. */
function readPositioned(config: Config, layers: number): readonly boolean[] {
  const interval = config.count("no_rope_layer_interval", 4);
  const written = config.get("no_rope_layers") ?? Array.from({ length: layers }, (_, i) => Number((i + 1) % interval !== 0));
  const fits = Array.isArray(written) && written.length >= layers && written.every((item) => item === 0 || item === 1);
  if (!fits) throw new ConfigError(`${config.name}: config key "no_rope_layers" expected 0 or 1 for each of ${layers} layers, got ${JSON.stringify(written)}`);
  return written.slice(0, layers).map((item) => item === 1);
}
