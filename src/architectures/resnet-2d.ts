// Residual blocks of diffusers' UNets and autoencoders, with their down- and upsamplers (He et al. 2015; Ho et al. 2020). Channels last.
import { affine } from "../kernels/elementwise.ts";
import { upsampleNearest } from "../kernels/upsample.ts";
import { Conv2d } from "../nn/conv2d.ts";
import { Linear } from "../nn/linear.ts";
import { GroupNorm } from "../nn/norm.ts";
import { consume } from "../nn/scoped.ts";
import type { Weights } from "../nn/weights.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface ResnetConfig {
  readonly groups: number;
  readonly eps: number;
  /** Features of the time embedding; null in autoencoders, which have none. */
  readonly timeEmbedDim: number | null;
  /** The time embedding scales and shifts the second norm ("scale_shift") instead of being added before it ("default"). */
  readonly timeScaleShift?: boolean;
  /** The sum of block and shortcut is divided by it. */
  readonly outputScale?: number;
}

export class ResnetBlock2D {
  readonly norm1: GroupNorm;
  readonly conv1: Conv2d;
  readonly timeEmbProj: Linear | null;
  readonly norm2: GroupNorm;
  readonly conv2: Conv2d;
  readonly convShortcut: Conv2d | null;
  readonly #timeScaleShift: boolean;
  readonly #outputScale: number;

  constructor(weights: Weights, inChannels: number, outChannels: number, { groups, eps, timeEmbedDim, timeScaleShift = false, outputScale = 1 }: ResnetConfig) {
    this.norm1 = new GroupNorm(weights.at("norm1"), groups, inChannels, eps);
    this.conv1 = new Conv2d(weights.at("conv1"), inChannels, outChannels, { kernel: 3, padding: 1 });
    this.timeEmbProj = timeEmbedDim === null ? null : new Linear(weights.at("time_emb_proj"), timeEmbedDim, (timeScaleShift ? 2 : 1) * outChannels);
    this.norm2 = new GroupNorm(weights.at("norm2"), groups, outChannels, eps);
    this.conv2 = new Conv2d(weights.at("conv2"), outChannels, outChannels, { kernel: 3, padding: 1 });
    this.convShortcut = inChannels === outChannels ? null : new Conv2d(weights.at("conv_shortcut"), inChannels, outChannels, { kernel: 1 });
    this.#timeScaleShift = timeScaleShift;
    this.#outputScale = outputScale;
  }

  /** x [N, H, W, I], the time embedding after its SiLU [N, T] → [N, H, W, O]. */
  forward(x: Tensor, timeEmbedding: Tensor | null): Tensor {
    const time = timeEmbedding && this.timeEmbProj ? this.timeEmbProj.forward(timeEmbedding) : undefined; // [N, O] or [N, 2 O]
    const [scale, shift] = time && this.#timeScaleShift ? [time.slice(1, 0, time.dim(1) / 2), time.slice(1, time.dim(1) / 2, time.dim(1))] : [];
    let h = this.norm1.forward(x, { activation: "silu" });
    h = consume([h], () => this.conv1.forward(h, { channelBias: this.#timeScaleShift ? undefined : time }));
    h = consume([h], () => this.norm2.forward(h, { scale, shift, activation: "silu" }));
    const out = consume([h], () => this.conv2.forward(h, { residual: this.convShortcut ? this.convShortcut.forward(x) : x }));
    return this.#outputScale === 1 ? out : affine(out, 1 / this.#outputScale);
  }
}

export class Downsample2D {
  readonly conv: Conv2d;

  /** `padding` 0 means the asymmetric one: a row below and a column to the right. */
  constructor(weights: Weights, channels: number, padding: number) {
    this.conv = new Conv2d(weights.at("conv"), channels, channels, { kernel: 3, stride: 2, padding: padding === 0 ? [0, 1, 0, 1] : padding });
  }

  /** [N, H, W, C] → [N, ⌈H/2⌉, ⌈W/2⌉, C], with `padding` 0 rounded down. */
  forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }
}

export class Upsample2D {
  readonly conv: Conv2d;

  constructor(weights: Weights, channels: number) {
    this.conv = new Conv2d(weights.at("conv"), channels, channels, { kernel: 3, padding: 1 });
  }

  /** [N, H, W, C] → [N, 2 H, 2 W, C], or to the size given, which need not be the double. */
  forward(x: Tensor, [height, width]: readonly [number, number] = [2 * x.dim(1), 2 * x.dim(2)]): Tensor {
    if (height === 2 * x.dim(1) && width === 2 * x.dim(2)) return this.conv.forward(x, { upsample: 2 });
    return this.conv.forward(upsampleNearest(x, [height, width]));
  }
}
