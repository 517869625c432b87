// Phi-3 and Phi-4 (Abdin et al. 2024, arXiv 2404.14219): Llama with fused projections, as transformers' Phi3ForCausalLM computes it.
import { Config } from "../nn/config.ts";
import type { CausalLmBuilder } from "./causal-lm.ts";
import { decoderBuilder, plainDecoder, readGatedMlp, readSizes, readWindow } from "./decoder-config.ts";
import { readRotary } from "./rotary-config.ts";

/** Its published files call LongRoPE so, too. */
const ALIASES = { su: "longrope", yarn: "longrope" };

/** With LongRoPE the context ends where its short factors do. Throws ConfigError for what is not supported. */
export function phi3(json: unknown): CausalLmBuilder {
  const config = new Config("Phi3ForCausalLM", json);
  const sizes = readSizes(config, { maxPositions: 4096, eps: 1e-5 });
  const window = readWindow(config, null);
  const trained = config.count("original_max_position_embeddings", 4096);
  const feedForward = readGatedMlp(config, { fused: true });
  config.ignore("full_attn_mod", "interpolate_factor"); // in Phi-4's, read by nobody
  return decoderBuilder(config, {
    ...plainDecoder(sizes),
    fusedAttention: true,
    rotary: [readRotary(config, { ...sizes, theta: 10_000, trained, aliases: ALIASES })],
    layers: Array.from({ length: sizes.layerCount }, () => ({ rotary: 0, window, feedForward })),
  });
}
