// Gemma 2 and 3 (Gemma Team 2024, arXiv 2408.00118; 2025, arXiv 2503.19786), as transformers' Gemma2ForCausalLM and Gemma3ForCausalLM compute them.
import { Config, ConfigError } from "../nn/config.ts";
import type { Rotary } from "../nn/rotary.ts";
import type { CausalLmBuilder } from "./causal-lm.ts";
import type { DecoderConfig } from "./decoder.ts";
import { decoderBuilder, type DecoderSizes, finish, plainDecoder, readActivation, readGatedMlp, readLayerTypes, readNullable, readSizes, readWindow } from "./decoder-config.ts";
import { readRotary, rotaryOf } from "./rotary-config.ts";

const COMMON = { tied: true, headSize: 256, heads: 8, keyHeads: 4 };

/** Soft caps, every other layer with a sliding window. Throws ConfigError for what is not supported. */
export function gemma2(json: unknown): CausalLmBuilder {
  const config = new Config("Gemma2ForCausalLM", json);
  const sizes = readSizes(config, { ...COMMON, maxPositions: 8192, vocabSize: 256_000 });
  const window = readWindow(config, 4096);
  const types = readLayerTypes(config, sizes.layerCount, (layer) => (layer % 2 ? "full_attention" : "sliding_attention"));
  const { feedForward, ...shared } = readShared(config, sizes);
  return decoderBuilder(config, {
    ...shared,
    attentionSoftCap: readNullable(config, "attn_logit_softcapping", 50),
    logitSoftCap: readNullable(config, "final_logit_softcapping", 30),
    rotary: [readRotary(config, { ...sizes, theta: 10_000 })],
    layers: types.map((type) => ({ rotary: 0, window: type === "sliding_attention" ? window : null, feedForward })),
  });
}

/** Five layers with a sliding window and slow rotary angles of their own to one without. Throws ConfigError for what is not supported. */
export function gemma3(json: unknown): CausalLmBuilder {
  return gemma3Of(new Config("Gemma3ForCausalLM", json));
}

/** The text part of a Gemma 3 that also sees pictures. Throws ConfigError for what is not supported. */
export function gemma3Multimodal(json: unknown): CausalLmBuilder {
  const outer = new Config("Gemma3ForConditionalGeneration", json);
  const inner = gemma3Of(new Config(`${outer.name}: text_config`, outer.get("text_config")));
  outer.oneOf("tie_word_embeddings", [true], true);
  outer.ignore("boi_token_index", "eoi_token_index", "image_token_index", "mm_tokens_per_image", "vision_config");
  finish(outer);
  return {
    ...inner,
    names: {
      renames: [[/^language_model\./, ""], [/^model\.language_model\./, "model."]],
      unused: [...(inner.names.unused ?? []), /^language_model\.lm_head\.weight$/, /^(model\.)?(vision_tower|multi_modal_projector)\./],
    },
  };
}

function gemma3Of(config: Config): CausalLmBuilder {
  const sizes = readSizes(config, { ...COMMON, maxPositions: 131_072, vocabSize: 262_208 });
  const window = readWindow(config, 4096);
  const pattern = config.count("sliding_window_pattern", 6);
  const types = readLayerTypes(config, sizes.layerCount, (layer) => ((layer + 1) % pattern ? "sliding_attention" : "full_attention"));
  config.oneOf("attn_logit_softcapping", [null], null);
  const { feedForward, ...shared } = readShared(config, sizes);
  return decoderBuilder(config, {
    ...shared,
    queryNorm: "head",
    logitSoftCap: readNullable(config, "final_logit_softcapping", null),
    rotary: readBothRotaries(config, sizes),
    layers: types.map((type) => (type === "full_attention" ? { rotary: 0, window: null, feedForward } : { rotary: 1, window, feedForward })),
  });
}

/** What both have: norms around each part whose weights lack 1, embeddings times √hidden size, a scale of queries of their own. */
function readShared(config: Config, sizes: DecoderSizes): Omit<DecoderConfig, "rotary" | "layers"> & Pick<DecoderConfig["layers"][number], "feedForward"> {
  const bias = config.boolean("attention_bias", false);
  config.ignore("hidden_act", "sliding_window_size"); // older files have them beside hidden_activation and sliding_window, which count
  return {
    ...plainDecoder(sizes),
    norms: "both",
    norm: { eps: sizes.eps, shift: 1 },
    attentionBias: [bias, bias],
    embeddingScale: Math.sqrt(sizes.hiddenSize),
    attentionScale: 1 / Math.sqrt(config.number("query_pre_attn_scalar", 256)),
    feedForward: readGatedMlp(config, { activation: readActivation(config, "hidden_activation", "gelu_pytorch_tanh") }),
  };
}

/** Of layers without a window, and of those with: `rope_parameters` by the kind of layer since transformers 5, else `rope_theta` with its scaling, and `rope_local_base_freq`. */
function readBothRotaries(config: Config, sizes: DecoderSizes): readonly [Rotary, Rotary] {
  const name = `${config.name}: rope`;
  const written = config.get("rope_parameters");
  const [full, local] = [config.number("rope_theta", 1_000_000), config.number("rope_local_base_freq", 10_000)];
  const scaling = config.get("rope_scaling");
  if (written === undefined || written === null) return [rotaryOf(name, scaling ?? {}, { ...sizes, theta: full }), rotaryOf(name, {}, { ...sizes, theta: local })];
  const byType = new Config(name, written);
  const rotaries = [byType.get("full_attention"), byType.get("sliding_attention")];
  byType.finish();
  if (scaling) throw new ConfigError(`${config.name}: config keys "rope_parameters" and "rope_scaling" exclude each other`);
  return [rotaryOf(name, rotaries[0] ?? {}, { ...sizes, theta: full }), rotaryOf(name, rotaries[1] ?? {}, { ...sizes, theta: local })];
}
