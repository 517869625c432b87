// UNet2DConditionModel: predicts the noise in a latent picture from the picture, the timestep and the text (Rombach et al. 2022, arXiv 2112.10752), as diffusers computes it.
import { activate } from "../kernels/activation.ts";
import { cast } from "../kernels/copy.ts";
import { add, affine } from "../kernels/elementwise.ts";
import { timestepEmbedding } from "../kernels/timestep-embedding.ts";
import { Config } from "../nn/config.ts";
import { Conv2d } from "../nn/conv2d.ts";
import { GroupNorm } from "../nn/norm.ts";
import { scoped } from "../nn/scoped.ts";
import type { Weights } from "../nn/weights.ts";
import { expectShape, ShapeError } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { TextTimeEmbedding, TimestepEmbedding } from "./time-embedding.ts";
import { DownBlock2D, MidBlock2D, UpBlock2D } from "./unet-blocks.ts";
import { type UNet2DConditionConfig, readUNetConfig } from "./unet-config.ts";

export interface UNetOptions {
  /** What the time embedding is told besides, [N, timeCondProjDim]; see guidanceScaleEmbedding. */
  readonly timestepCond?: Tensor;
}

export class UNet2DConditionModel {
  readonly config: UNet2DConditionConfig;
  readonly convIn: Conv2d;
  readonly timeEmbedding: TimestepEmbedding;
  readonly addEmbedding: TextTimeEmbedding | null;
  readonly downBlocks: readonly DownBlock2D[];
  readonly midBlock: MidBlock2D | null;
  readonly upBlocks: readonly UpBlock2D[];
  readonly convNormOut: GroupNorm;
  readonly convOut: Conv2d;

  /** `json`: the checkpoint's config.json. Throws ConfigError for what is not supported. */
  constructor(weights: Weights, json: unknown) {
    const config = readUNetConfig(new Config("UNet2DConditionModel", json));
    const { levels, middle } = config;
    const [first, last] = [levels[0].channels, levels.length - 1];
    this.config = config;
    this.convIn = new Conv2d(weights.at("conv_in"), config.inChannels, first, { kernel: config.convInKernel, padding: (config.convInKernel - 1) / 2 });
    this.timeEmbedding = new TimestepEmbedding(weights.at("time_embedding"), first, config.timeEmbedDim, config.timeCondProjDim);
    this.addEmbedding = config.textEmbedHeads === null ? null : new TextTimeEmbedding(weights.at("add_embedding"), config.crossAttentionDim, config.timeEmbedDim, config.textEmbedHeads);

    const skipChannels = [first]; // of the skips, in the order they are made
    this.downBlocks = levels.map((level, i) => {
      for (let layer = 0; layer < level.layers; layer++) skipChannels.push(level.channels);
      if (i < last) skipChannels.push(level.channels);
      return new DownBlock2D(weights.at("down_blocks").at(i), levels[Math.max(0, i - 1)].channels, level, i < last ? config.downsamplePadding : null);
    });
    this.midBlock = middle && new MidBlock2D(weights.at("mid_block"), middle);
    this.upBlocks = config.upLevels.map((level, i) => {
      const skips = skipChannels.splice(-level.layers - 1).reverse();
      return new UpBlock2D(weights.at("up_blocks").at(i), config.upLevels[Math.max(0, i - 1)].channels, skips, level, i < last);
    });

    this.convNormOut = new GroupNorm(weights.at("conv_norm_out"), levels[0].resnet.groups, first, levels[0].resnet.eps);
    this.convOut = new Conv2d(weights.at("conv_out"), first, config.outChannels, { kernel: config.convOutKernel, padding: (config.convOutKernel - 1) / 2 });
  }

  /** sample [N, H, W, inChannels] of any size, one timestep for all or one each, the text's states [N, T, crossAttentionDim] → [N, H, W, outChannels]. Throws ShapeError. */
  forward(sample: Tensor, timestep: number | readonly number[], text: Tensor, { timestepCond }: UNetOptions = {}): Tensor {
    const { gpu } = sample;
    expectShape("unet: sample", sample, [null, null, null, this.config.inChannels]);
    expectShape("unet: text", text, [sample.dim(0), null, this.config.crossAttentionDim]);
    using scope = gpu.scope();
    const time = scoped(gpu, () => this.embedTime(sample, timestep, text, timestepCond)); // [N, T]

    let x = scoped(gpu, () => this.convIn.forward(this.config.centerInputSample ? affine(sample, 2, -1) : sample));
    const skips = [x];
    for (const block of this.downBlocks) x = block.forward(x, time, text, skips);
    if (this.midBlock) x = this.midBlock.forward(x, time, text);
    for (const block of this.upBlocks) x = block.forward(x, time, text, skips);
    return scope.keep(scoped(gpu, () => this.convOut.forward(this.convNormOut.forward(x, { activation: "silu" }))));
  }

  /** What every residual block projects: the embedding of timestep, condition and text after its SiLU, [N, timeEmbedDim]. Computed in f32. */
  embedTime(sample: Tensor, timestep: number | readonly number[], text: Tensor, timestepCond?: Tensor): Tensor {
    const { gpu } = sample;
    const { levels, sinusoids, timeCondProjDim } = this.config;
    const n = sample.dim(0);
    const timesteps = typeof timestep === "number" ? new Array<number>(n).fill(timestep) : timestep;
    if (timesteps.length !== n) throw new ShapeError(`unet: one timestep or ${n} expected, got ${timesteps.length}`);
    if (timestepCond) expectShape("unet: timestepCond", timestepCond, [n, timeCondProjDim ?? 0]);
    const times = timestepEmbedding(gpu, timesteps, levels[0].channels, sinusoids); // [N, C]
    let embedded = this.timeEmbedding.forward(times, timestepCond && cast(timestepCond, "f32"));
    if (this.addEmbedding) embedded = add(embedded, this.addEmbedding.forward(text));
    return cast(activate(embedded, "silu"), sample.dtype);
  }
}
