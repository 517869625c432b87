// The config.json of diffusers' UNet2DConditionModel, with diffusers' defaults; what changes the result and is not supported is refused by name.
import { type Config, ConfigError } from "../nn/config.ts";
import type { LevelConfig } from "./unet-blocks.ts";

export interface UNet2DConditionConfig {
  /** [height, width] of the latent pictures it was trained on. */
  readonly sampleSize: readonly [number, number] | null;
  readonly inChannels: number;
  readonly outChannels: number;
  /** Features of the text's states. */
  readonly crossAttentionDim: number;
  readonly timeEmbedDim: number;
  /** Features of `timestepCond`; null where there is none. */
  readonly timeCondProjDim: number | null;
  /** Heads of the attention that pools the text into the time embedding; null where there is none. */
  readonly textEmbedHeads: number | null;
  readonly sinusoids: { readonly flipSinToCos: boolean; readonly downscaleFreqShift: number };
  readonly centerInputSample: boolean;
  readonly convInKernel: number;
  readonly convOutKernel: number;
  readonly downsamplePadding: number;
  /** From the finest level to the coarsest. */
  readonly levels: readonly LevelConfig[];
  readonly middle: Omit<LevelConfig, "layers"> | null;
  /** From the coarsest level to the finest. */
  readonly upLevels: readonly LevelConfig[];
}

const DOWN_BLOCKS = ["CrossAttnDownBlock2D", "DownBlock2D"] as const;
const UP_BLOCKS = ["CrossAttnUpBlock2D", "UpBlock2D"] as const;
const MID_BLOCKS = ["UNetMidBlock2DCrossAttn", "UNetMidBlock2D", null] as const;

/** Settings of other block types, of training, or of numerical types: they do not change what the supported blocks compute. */
const WITHOUT_EFFECT = [
  "addition_time_embed_dim", "cross_attention_norm", "dropout", "mid_block_only_cross_attention", "projection_class_embeddings_input_dim",
  "resnet_out_scale_factor", "resnet_skip_time_act", "upcast_attention",
];

/** Throws ConfigError that names the key and its value. */
export function readUNetConfig(config: Config): UNet2DConditionConfig {
  const downTypes = config.listOf("down_block_types", DOWN_BLOCKS, ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]);
  const upTypes = config.listOf("up_block_types", UP_BLOCKS, ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]);
  const midType = config.oneOf("mid_block_type", MID_BLOCKS, "UNetMidBlock2DCrossAttn");
  const depth = downTypes.length;
  if (upTypes.length !== depth) throw new ConfigError(`${config.name}: config key "up_block_types" expected ${depth} blocks, as many as down_block_types, got ${upTypes.length}`);
  const channels = config.countPerBlock("block_out_channels", depth, [320, 640, 1280, 1280]);
  const layers = config.countPerBlock("layers_per_block", depth, 2);
  const transformerLayers = config.countPerBlock("transformer_layers_per_block", depth, 1);
  const heads = config.countPerBlock("attention_head_dim", depth, 8); // the number of heads, in spite of the name
  const crossAttentionDims = config.countPerBlock("cross_attention_dim", depth, 1280);
  const onlyCrossAttention = booleanPerBlock(config, "only_cross_attention", depth);
  const linearProjection = config.boolean("use_linear_projection", false);
  const groups = config.count("norm_num_groups", 32);
  const timeEmbedDim = optionalCount(config, "time_embedding_dim") ?? 4 * channels[0];
  const resnet = {
    groups, eps: config.number("norm_eps", 1e-5), timeEmbedDim,
    timeScaleShift: config.oneOf("resnet_time_scale_shift", ["default", "scale_shift"], "default") === "scale_shift",
  };
  const crossAttentionDim = crossAttentionDims[0];
  if (crossAttentionDims.some((dim) => dim !== crossAttentionDim)) throw new ConfigError(`${config.name}: config key "cross_attention_dim" expected one size for all blocks, got [${crossAttentionDims}]`);

  const uneven = channels.find((n) => n % groups);
  if (uneven) throw new ConfigError(`${config.name}: config key "norm_num_groups" expected a divisor of ${uneven}, got ${groups}`);
  const transformer = (i: number, onlyCross: boolean) => {
    if (channels[i] % heads[i]) throw new ConfigError(`${config.name}: config key "attention_head_dim" (the number of heads) expected a divisor of ${channels[i]}, got ${heads[i]}`);
    return { heads: heads[i], layers: transformerLayers[i], crossAttentionDim, groups, linearProjection, onlyCrossAttention: onlyCross };
  };
  const level = (i: number, type: string): LevelConfig => ({
    channels: channels[i], layers: layers[i], resnet, transformer: type.startsWith("CrossAttn") ? transformer(i, onlyCrossAttention[i]) : null,
  });
  const last = depth - 1;
  const textPooled = config.oneOf("addition_embed_type", [null, "text"], null) === "text";
  const textEmbedHeads = config.count("addition_embed_type_num_heads", 64);
  if (textPooled && crossAttentionDim % textEmbedHeads) throw new ConfigError(`${config.name}: config key "addition_embed_type_num_heads" expected a divisor of ${crossAttentionDim}, got ${textEmbedHeads}`);
  const outputScale = config.number("mid_block_scale_factor", 1);

  const read: UNet2DConditionConfig = {
    sampleSize: sampleSize(config),
    inChannels: config.count("in_channels", 4),
    outChannels: config.count("out_channels", 4),
    crossAttentionDim,
    timeEmbedDim,
    timeCondProjDim: optionalCount(config, "time_cond_proj_dim"),
    textEmbedHeads: textPooled ? textEmbedHeads : null,
    sinusoids: { flipSinToCos: config.boolean("flip_sin_to_cos", true), downscaleFreqShift: config.number("freq_shift", 0) },
    centerInputSample: config.boolean("center_input_sample", false),
    convInKernel: config.oneOf("conv_in_kernel", [1, 3, 5, 7], 3),
    convOutKernel: config.oneOf("conv_out_kernel", [1, 3, 5, 7], 3),
    downsamplePadding: config.oneOf("downsample_padding", [0, 1], 1),
    levels: downTypes.map((type, i) => level(i, type)),
    middle: midType && { channels: channels[last], resnet: { ...resnet, outputScale }, transformer: midType === "UNetMidBlock2DCrossAttn" ? transformer(last, false) : null },
    upLevels: upTypes.map((type, i) => level(last - i, type)),
  };
  config.oneOf("act_fn", ["silu", "swish"], "silu");
  config.oneOf("time_embedding_type", ["positional"], "positional");
  config.oneOf("attention_type", ["default"], "default");
  config.ignore(...WITHOUT_EFFECT);
  config.finish();
  return read;
}

function optionalCount(config: Config, key: string): number | null {
  return config.get(key) == null ? null : config.count(key);
}

function booleanPerBlock(config: Config, key: string, length: number): readonly boolean[] {
  const value = config.get(key) ?? false;
  if (!Array.isArray(value)) return new Array<boolean>(length).fill(config.boolean(key, false));
  if (value.length === length && value.every((item) => typeof item === "boolean")) return value;
  throw new ConfigError(`${config.name}: config key "${key}" expected true, false or ${length} of them, got ${JSON.stringify(value)}`);
}

/** A side, or [height, width]. */
function sampleSize(config: Config): readonly [number, number] | null {
  if (!Array.isArray(config.get("sample_size"))) {
    const side = optionalCount(config, "sample_size");
    return side === null ? null : [side, side];
  }
  const [height, width] = config.countPerBlock("sample_size", 2);
  return [height, width];
}
