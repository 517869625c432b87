// Encoder and decoder of AutoencoderKL: residual blocks between down- and upsamplers, with one attention over all pixels in the middle (Esser et al. 2020, arXiv 2012.09841). Channels last.
import { concat } from "../kernels/concat.ts";
import { matmul } from "../kernels/matmul.ts";
import { softmax } from "../kernels/softmax.ts";
import { Conv2d } from "../nn/conv2d.ts";
import { Linear } from "../nn/linear.ts";
import { GroupNorm } from "../nn/norm.ts";
import { scoped } from "../nn/scoped.ts";
import { type Layer, sequence } from "../nn/sequence.ts";
import type { Weights } from "../nn/weights.ts";
import { BYTES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Downsample2D, ResnetBlock2D, Upsample2D } from "./resnet-2d.ts";

const EPS = 1e-6;
/** Scores of as many queries as fit are computed at once. */
const SCORE_BYTES = 32 * 2 ** 20;

/** What encoder and decoder share. */
export interface CoderConfig {
  /** From the finest level to the coarsest. */
  readonly channels: readonly number[];
  /** Residual blocks of a level of the encoder; the decoder has one more. */
  readonly layers: number;
  readonly groups: number;
  readonly midAttention: boolean;
}

/** One head over all pixels. Its width (512 as a rule) is too much for online softmax, so scores are stored, for a part of the queries at a time. */
export class PixelAttention {
  readonly groupNorm: GroupNorm;
  readonly toQ: Linear;
  readonly toK: Linear;
  readonly toV: Linear;
  readonly toOut: Linear;

  constructor(weights: Weights, channels: number, groups: number) {
    const linear = (name: string) => new Linear(weights.at(name), channels, channels, { orConv: true });
    this.groupNorm = new GroupNorm(weights.at("group_norm"), groups, channels, EPS);
    this.toQ = linear("to_q");
    this.toK = linear("to_k");
    this.toV = linear("to_v");
    this.toOut = linear("to_out.0");
  }

  /** x [N, H, W, C] → the same shape. */
  forward(x: Tensor): Tensor {
    const [n, height, width, channels] = x.shape;
    const pixels = height * width;
    const normed = this.groupNorm.forward(x).reshape([n, pixels, channels]);
    const [q, k, v] = [this.toQ, this.toK, this.toV].map((projection) => projection.forward(normed)); // [N, P, C]
    const budget = Math.min(SCORE_BYTES, x.gpu.limits.maxStorageBufferBindingSize / 2);
    const queries = Math.min(pixels, Math.max(1, Math.floor(budget / (n * pixels * BYTES.f32))));
    const parts: Tensor[] = [];
    for (let start = 0; start < pixels; start += queries) {
      parts.push(scoped(x.gpu, () => attend(q.slice(1, start, Math.min(pixels, start + queries)), k, v)));
    }
    const attended = parts.length === 1 ? parts[0] : concat(parts, 1); // [N, P, C]
    return this.toOut.forward(attended, { residual: x.reshape([n, pixels, channels]) }).reshape(x.shape);
  }
}

/** q [N, Q, C], k and v [N, P, C] → [N, Q, C]; scores in f32. */
function attend(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const scores = matmul(q, k, { transposeB: true, scale: 1 / Math.sqrt(q.dim(2)), dtype: "f32" }); // [N, Q, P]
  return matmul(softmax(scores), v, { dtype: q.dtype });
}

export class UNetMidBlock2D {
  readonly resnets: readonly ResnetBlock2D[];
  readonly attentions: readonly PixelAttention[];

  constructor(weights: Weights, channels: number, { groups, midAttention }: CoderConfig) {
    this.resnets = [0, 1].map((i) => resnet(weights.at("resnets").at(i), channels, channels, groups));
    this.attentions = midAttention ? [new PixelAttention(weights.at("attentions.0"), channels, groups)] : [];
  }

  get layers(): readonly Layer[] {
    const [first, second] = this.resnets.map(layerOf);
    return [first, ...this.attentions.map((attention): Layer => (x) => attention.forward(x)), second];
  }
}

/** DownEncoderBlock2D; `last` keeps its size. */
export class DownEncoderBlock2D {
  readonly resnets: readonly ResnetBlock2D[];
  readonly downsamplers: readonly Downsample2D[];

  constructor(weights: Weights, inChannels: number, channels: number, { layers, groups }: CoderConfig, last: boolean) {
    this.resnets = Array.from({ length: layers }, (_, i) => resnet(weights.at("resnets").at(i), i ? channels : inChannels, channels, groups));
    this.downsamplers = last ? [] : [new Downsample2D(weights.at("downsamplers.0"), channels, 0)];
  }

  get layers(): readonly Layer[] {
    return [...this.resnets.map(layerOf), ...this.downsamplers.map((sampler): Layer => (x) => sampler.forward(x))];
  }
}

/** UpDecoderBlock2D; `last` keeps its size. */
export class UpDecoderBlock2D {
  readonly resnets: readonly ResnetBlock2D[];
  readonly upsamplers: readonly Upsample2D[];

  constructor(weights: Weights, inChannels: number, channels: number, { layers, groups }: CoderConfig, last: boolean) {
    this.resnets = Array.from({ length: layers + 1 }, (_, i) => resnet(weights.at("resnets").at(i), i ? channels : inChannels, channels, groups));
    this.upsamplers = last ? [] : [new Upsample2D(weights.at("upsamplers.0"), channels)];
  }

  get layers(): readonly Layer[] {
    return [...this.resnets.map(layerOf), ...this.upsamplers.map((sampler): Layer => (x) => sampler.forward(x))];
  }
}

export class Encoder {
  readonly convIn: Conv2d;
  readonly downBlocks: readonly DownEncoderBlock2D[];
  readonly midBlock: UNetMidBlock2D;
  readonly convNormOut: GroupNorm;
  readonly convOut: Conv2d;

  constructor(weights: Weights, inChannels: number, outChannels: number, config: CoderConfig) {
    const { channels, groups } = config;
    const last = channels.length - 1;
    this.convIn = new Conv2d(weights.at("conv_in"), inChannels, channels[0], { kernel: 3, padding: 1 });
    this.downBlocks = channels.map((own, i) => new DownEncoderBlock2D(weights.at("down_blocks").at(i), channels[Math.max(0, i - 1)], own, config, i === last));
    this.midBlock = new UNetMidBlock2D(weights.at("mid_block"), channels[last], config);
    this.convNormOut = new GroupNorm(weights.at("conv_norm_out"), groups, channels[last], EPS);
    this.convOut = new Conv2d(weights.at("conv_out"), channels[last], outChannels, { kernel: 3, padding: 1 });
  }

  /** x [N, H, W, I] → [N, h, w, O]. */
  forward(x: Tensor): Tensor {
    const { convIn, downBlocks, midBlock, convNormOut, convOut } = this;
    return sequence(x, [
      (y) => convIn.forward(y),
      ...downBlocks.flatMap(({ layers }) => layers),
      ...midBlock.layers,
      (y) => convNormOut.forward(y, { activation: "silu" }),
      (y) => convOut.forward(y),
    ]);
  }
}

export class Decoder {
  readonly convIn: Conv2d;
  readonly midBlock: UNetMidBlock2D;
  readonly upBlocks: readonly UpDecoderBlock2D[];
  readonly convNormOut: GroupNorm;
  readonly convOut: Conv2d;

  constructor(weights: Weights, inChannels: number, outChannels: number, config: CoderConfig) {
    const { groups } = config;
    const channels = config.channels.toReversed(); // from the coarsest level to the finest
    const last = channels.length - 1;
    this.convIn = new Conv2d(weights.at("conv_in"), inChannels, channels[0], { kernel: 3, padding: 1 });
    this.midBlock = new UNetMidBlock2D(weights.at("mid_block"), channels[0], config);
    this.upBlocks = channels.map((own, i) => new UpDecoderBlock2D(weights.at("up_blocks").at(i), channels[Math.max(0, i - 1)], own, config, i === last));
    this.convNormOut = new GroupNorm(weights.at("conv_norm_out"), groups, channels[last], EPS);
    this.convOut = new Conv2d(weights.at("conv_out"), channels[last], outChannels, { kernel: 3, padding: 1 });
  }

  /** z [N, h, w, I] → [N, H, W, O]. */
  forward(z: Tensor): Tensor {
    const { convIn, midBlock, upBlocks, convNormOut, convOut } = this;
    return sequence(z, [
      (y) => convIn.forward(y),
      ...midBlock.layers,
      ...upBlocks.flatMap(({ layers }) => layers),
      (y) => convNormOut.forward(y, { activation: "silu" }),
      (y) => convOut.forward(y),
    ]);
  }
}

function resnet(weights: Weights, inChannels: number, outChannels: number, groups: number): ResnetBlock2D {
  return new ResnetBlock2D(weights, inChannels, outChannels, { groups, eps: EPS, timeEmbedDim: null });
}

function layerOf(block: ResnetBlock2D): Layer {
  return (x) => block.forward(x, null);
}
