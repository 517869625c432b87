// The levels of a conditional UNet: residual blocks, each followed by a transformer where the text is attended to.
import { concat } from "../kernels/concat.ts";
import { consume, scoped } from "../nn/scoped.ts";
import type { Weights } from "../nn/weights.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Downsample2D, type ResnetConfig, ResnetBlock2D, Upsample2D } from "./resnet-2d.ts";
import { Transformer2DModel, type TransformerConfig } from "./transformer-2d.ts";

/** What the levels on the way down and on the way up share. */
export interface LevelConfig {
  readonly channels: number;
  /** Residual blocks on the way down; one more on the way up. */
  readonly layers: number;
  readonly resnet: ResnetConfig;
  /** Null where the level does not look at the text. */
  readonly transformer: TransformerConfig | null;
}

/** CrossAttnDownBlock2D, and DownBlock2D where there is no transformer. */
export class DownBlock2D {
  readonly resnets: readonly ResnetBlock2D[];
  readonly attentions: readonly Transformer2DModel[];
  readonly downsamplers: readonly Downsample2D[];

  /** `downsamplePadding` null: the last level, which keeps its size. */
  constructor(weights: Weights, inChannels: number, { channels, layers, resnet, transformer }: LevelConfig, downsamplePadding: number | null) {
    this.resnets = Array.from({ length: layers }, (_, i) => new ResnetBlock2D(weights.at("resnets").at(i), i ? channels : inChannels, channels, resnet));
    this.attentions = transformer ? this.resnets.map((_, i) => new Transformer2DModel(weights.at("attentions").at(i), channels, transformer)) : [];
    this.downsamplers = downsamplePadding === null ? [] : [new Downsample2D(weights.at("downsamplers.0"), channels, downsamplePadding)];
  }

  /** x [N, H, W, I] → [N, H', W', channels]; every layer's output joins `skips`. */
  forward(x: Tensor, timeEmbedding: Tensor, text: Tensor, skips: Tensor[]): Tensor {
    this.resnets.forEach((resnet, i) => {
      x = attend(this.attentions[i], scoped(x.gpu, () => resnet.forward(x, timeEmbedding)), text);
      skips.push(x);
    });
    for (const downsampler of this.downsamplers) {
      x = scoped(x.gpu, () => downsampler.forward(x));
      skips.push(x);
    }
    return x;
  }
}

/** UNetMidBlock2DCrossAttn, and UNetMidBlock2D where there is no transformer. */
export class MidBlock2D {
  readonly resnets: readonly ResnetBlock2D[];
  readonly attentions: readonly Transformer2DModel[];

  constructor(weights: Weights, { channels, resnet, transformer }: Omit<LevelConfig, "layers">) {
    this.resnets = Array.from({ length: transformer ? 2 : 1 }, (_, i) => new ResnetBlock2D(weights.at("resnets").at(i), channels, channels, resnet));
    this.attentions = transformer ? [new Transformer2DModel(weights.at("attentions.0"), channels, transformer)] : [];
  }

  /** x [N, H, W, channels] → the same shape. */
  forward(x: Tensor, timeEmbedding: Tensor, text: Tensor): Tensor {
    const [first, ...rest] = this.resnets;
    let h = attend(this.attentions[0], scoped(x.gpu, () => first.forward(x, timeEmbedding)), text);
    for (const resnet of rest) h = consume([h], (before) => resnet.forward(before, timeEmbedding));
    return h;
  }
}

/** CrossAttnUpBlock2D, and UpBlock2D where there is no transformer. */
export class UpBlock2D {
  readonly resnets: readonly ResnetBlock2D[];
  readonly attentions: readonly Transformer2DModel[];
  readonly upsamplers: readonly Upsample2D[];

  /** `skipChannels`: of the skips that its layers take, in their order. `upsample` false: the last level. */
  constructor(weights: Weights, inChannels: number, skipChannels: readonly number[], { channels, resnet, transformer }: LevelConfig, upsample: boolean) {
    this.resnets = skipChannels.map((skip, i) => new ResnetBlock2D(weights.at("resnets").at(i), (i ? channels : inChannels) + skip, channels, resnet));
    this.attentions = transformer ? this.resnets.map((_, i) => new Transformer2DModel(weights.at("attentions").at(i), channels, transformer)) : [];
    this.upsamplers = upsample ? [new Upsample2D(weights.at("upsamplers.0"), channels)] : [];
  }

  /** x [N, H, W, I] → [N, H', W', channels], as large as the next skip. Frees x and its layers' skips, which it takes off the end of `skips`. */
  forward(x: Tensor, timeEmbedding: Tensor, text: Tensor, skips: Tensor[]): Tensor {
    this.resnets.forEach((resnet, i) => {
      const joined = consume([x, skips.pop() ?? missingSkip()], (...parts) => concat(parts, -1));
      x = attend(this.attentions[i], consume([joined], () => resnet.forward(joined, timeEmbedding)), text);
    });
    const next = skips.at(-1);
    for (const upsampler of this.upsamplers) x = consume([x], (small) => upsampler.forward(small, next && [next.dim(1), next.dim(2)]));
    return x;
  }
}

/** The transformer behind a residual block, if there is one; frees x. */
function attend(transformer: Transformer2DModel | undefined, x: Tensor, text: Tensor): Tensor {
  return transformer ? consume([x], () => transformer.forward(x, text)) : x;
}

function missingSkip(): never {
  throw new Error("UNet: more layers on the way up than skips");
}
