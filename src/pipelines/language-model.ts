// A language model as its publisher's files: config, weights, tokenizer, chat template and generation defaults, from a Hub folder or a GGUF file.
import { type CausalLm, type CausalLmBuilder, causalLmOf } from "../architectures/causal-lm.ts";
import { ChatTemplate, pickChatTemplate } from "../formats/chat-template.ts";
import { type GenerationTokenizer, loadGenerationTokenizer } from "../formats/generation-tokenizer.ts";
import { isObject, type JsonObject } from "../formats/json.ts";
import { packedLayoutOf, unpackWeights } from "../formats/packed-weights.ts";
import type { TensorFile } from "../formats/safetensors.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { openCheckpoint } from "../hub/checkpoint.ts";
import { HubError } from "../hub/errors.ts";
import type { ModelFolder } from "../hub/folder.ts";
import { ggufPath } from "../hub/gguf-path.ts";
import { ConfigError } from "../nn/config.ts";
import { Weights, type WeightsOptions } from "../nn/weights.ts";
import { readGenerationConfig } from "./generation-config.ts";
import type { TextDefaults } from "./text-generation-types.ts";

export interface LanguageModelFiles {
  /** `model_type` of the config. */
  readonly architecture: string;
  readonly builder: CausalLmBuilder;
  readonly checkpoint: TensorFile;
  /** How the checkpoint's names and rows become those of the network. */
  readonly naming: Partial<Omit<WeightsOptions, "name" | "dtype">>;
  readonly tokenizer: GenerationTokenizer;
  /** The template for a conversation, with tools or without; null where there is none. */
  template(tools: boolean): ChatTemplate | null;
  readonly hasTemplate: boolean;
  readonly defaults: TextDefaults;
}

/** How its weights lie on the GPU. */
export type WeightChoice = Pick<WeightsOptions, "dtype" | "quantize">;

/** A network, and the weights to stream into it. */
export interface BuiltModel {
  readonly model: CausalLm;
  readonly weights: Weights;
}

/** Opens a model: small files are read, weights only to the end of their headers. Throws HubError, FormatError, ConfigError. */
export async function openLanguageModel(folder: ModelFolder, options: { signal?: AbortSignal } = {}): Promise<LanguageModelFiles> {
  return (await ggufPath(folder)) === null ? openFolder(folder, options) : openGguf(folder, options);
}

/** The code for GGUF comes with the first such model. */
async function openGguf(folder: ModelFolder, options: { signal?: AbortSignal }): Promise<LanguageModelFiles> {
  const [{ openGgufModel }, { ggufTokenizer }] = await Promise.all([import("../hub/gguf.ts"), import("../formats/gguf-tokenizer.ts")]);
  const opened = await openGgufModel(folder, options);
  if (!opened) throw new HubError(`${folder.id}: there is no GGUF file`);
  const { metadata, config, generationConfig, chatTemplate, checkpoint } = opened;
  const builder = await causalLmOf(config);
  const tokenizer = ggufTokenizer(metadata);
  return {
    architecture: String(config.model_type),
    builder,
    checkpoint,
    naming: builder.names,
    tokenizer,
    ...templates(() => chatTemplate, tokenizer),
    defaults: readGenerationConfig(generationConfig, config, tokenizer.endTokens),
  };
}

async function openFolder(folder: ModelFolder, { signal }: { signal?: AbortSignal }): Promise<LanguageModelFiles> {
  const stated = await folder.json("config.json");
  if (stated === null) throw new HubError(`${folder.id}: there is no config.json: a model's folder as transformers writes it expected`);
  if (!isObject(stated)) throw new ConfigError(`${folder.id}: config.json is no JSON object`);
  const { config, layout } = packedLayoutOf(stated);
  const [builder, tokenizer, generationConfig, jinja, tokenizerConfig] = await Promise.all([
    causalLmOf(config), loadGenerationTokenizer(folder), folder.json("generation_config.json"), folder.text("chat_template.jinja"), folder.json("tokenizer_config.json"),
  ]);
  const checkpoint = await openCheckpoint(folder, "", "model", { signal });
  const source = (tools: boolean) => pickChatTemplate(jinja, isObject(tokenizerConfig) ? tokenizerConfig : null, { tools });
  return {
    architecture: String(config.model_type),
    builder,
    checkpoint: layout ? unpackWeights(checkpoint, layout) : checkpoint,
    naming: builder.names,
    tokenizer,
    ...templates(source, tokenizer),
    defaults: readGenerationConfig(generationConfig, textConfig(config), tokenizer.endTokens),
  };
}

/** The config of the text part, where there are others. */
function textConfig(config: JsonObject): JsonObject {
  return isObject(config.text_config) ? { ...config.text_config, ...config } : config;
}

/** Parsed when a conversation first needs them, so that a template that cannot be parsed spoils no other use of its model. */
function templates(source: (tools: boolean) => string | null, tokenizer: GenerationTokenizer): Pick<LanguageModelFiles, "template" | "hasTemplate"> {
  const parsed = new Map<string, ChatTemplate>();
  const tokens = Object.fromEntries(Object.entries(tokenizer.roles).map(([role, id]) => [`${role}_token`, tokenizer.token(id) ?? ""]));
  return {
    hasTemplate: source(false) !== null,
    template(tools) {
      const text = source(tools);
      if (text === null) return null;
      const template = parsed.get(text) ?? new ChatTemplate(text, tokens);
      parsed.set(text, template);
      return template;
    },
  };
}

/** The network on a Gpu, its weights allocated but not filled. Throws CheckpointError, ConfigError, GpuError. */
export function buildLanguageModel(gpu: Gpu, { architecture, builder, checkpoint, naming }: LanguageModelFiles, choice: WeightChoice): BuiltModel {
  const weights = Weights.of(gpu, checkpoint, { name: architecture, ...naming, ...choice });
  const model = builder.create(weights);
  weights.finish();
  return { model, weights };
}
