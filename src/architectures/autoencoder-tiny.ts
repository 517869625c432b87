// AutoencoderTiny: a small distilled autoencoder, convolutions only (Bohan 2023, github.com/madebyollin/taesd), as diffusers computes it. Channels last.
import type { Activation } from "../kernels/activation.ts";
import { affine, clamp, tanh } from "../kernels/elementwise.ts";
import { upsampleNearest } from "../kernels/upsample.ts";
import { Config, ConfigError } from "../nn/config.ts";
import { Conv2d } from "../nn/conv2d.ts";
import { type Layer, sequence } from "../nn/sequence.ts";
import type { Weights } from "../nn/weights.ts";
import { expectShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface AutoencoderTinyConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly latentChannels: number;
  readonly encoderChannels: number;
  readonly decoderChannels: number;
  /** Blocks of each level, from the first that runs. */
  readonly encoderBlocks: readonly number[];
  readonly decoderBlocks: readonly number[];
  readonly activation: Activation;
  /** How often the decoder repeats a pixel between levels. */
  readonly upsampling: number;
  /** Pixels per latent, along a side. */
  readonly downsampling: number;
  readonly latentMagnitude: number;
  readonly latentShift: number;
  /** A diffusion model works on (latents - shiftFactor) · scalingFactor. */
  readonly scalingFactor: number;
  readonly shiftFactor: number;
  readonly forceUpcast: boolean;
}

/** diffusers' names of activations. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = { relu: "relu", silu: "silu", swish: "silu", gelu: "gelu" };

const SAME_SIZE = { kernel: 3, padding: 1 };

/** relu(x + conv(act(conv(act(conv(x)))))). */
export class AutoencoderTinyBlock {
  readonly conv: readonly Conv2d[];

  constructor(weights: Weights, channels: number, private readonly activation: Activation) {
    this.conv = [0, 2, 4].map((i) => new Conv2d(weights.at("conv").at(i), channels, channels, SAME_SIZE));
  }

  /** x [N, H, W, C] → the same shape. */
  forward(x: Tensor): Tensor {
    const [first, second, third] = this.conv;
    const { activation } = this;
    const h = second.forward(first.forward(x, { activation }), { activation });
    return third.forward(h, { residual: x, activation: "relu", activateLast: true });
  }
}

export class AutoencoderTiny {
  readonly config: AutoencoderTinyConfig;
  /** What activations are stored as. */
  readonly dtype: "f32" | "f16";
  /** Layers by the number, in the checkpoint, of the module whose output they give. */
  readonly encoder: ReadonlyMap<number, Layer>;
  readonly decoder: ReadonlyMap<number, Layer>;

  /** `json`: the checkpoint's config.json. Throws ConfigError for what is not supported. */
  constructor(weights: Weights, json: unknown) {
    this.config = readConfig(new Config("AutoencoderTiny", json));
    this.dtype = weights.dtype;
    this.encoder = encoderLayers(weights.at("encoder.layers"), this.config);
    this.decoder = decoderLayers(weights.at("decoder.layers"), this.config);
  }

  /** Pictures [N, H, W, inChannels] in -1 … 1 → latents [N, h, w, latentChannels]. Throws ShapeError. */
  encode(x: Tensor): Tensor {
    expectShape("autoencoder: x", x, [null, null, null, this.config.inChannels]);
    return sequence(x, [(y) => affine(y, 0.5, 0.5), ...this.encoder.values()]);
  }

  /** Latents [N, h, w, latentChannels] → pictures [N, H, W, outChannels] in about -1 … 1. Latents are softly held within ±3. Throws ShapeError. */
  decode(z: Tensor): Tensor {
    expectShape("autoencoder: z", z, [null, null, null, this.config.latentChannels]);
    return sequence(z, [(y) => affine(tanh(affine(y, 1 / 3)), 3), ...this.decoder.values(), (y) => affine(y, 2, -1)]);
  }

  /** Latents → 0 … 1, as they are stored in pictures. */
  scaleLatents(z: Tensor): Tensor {
    const { latentMagnitude, latentShift } = this.config;
    return sequence(z, [(y) => affine(y, 1 / (2 * latentMagnitude), latentShift), (y) => clamp(y, 0, 1)]);
  }

  /** What `scaleLatents` scaled, back to latents. */
  unscaleLatents(z: Tensor): Tensor {
    const { latentMagnitude, latentShift } = this.config;
    return affine(z, 2 * latentMagnitude, -2 * latentMagnitude * latentShift);
  }
}

/** Numbers layers as the checkpoint's torch.nn.Sequential does, where activations and upsampling count, too. */
class LayerList {
  readonly layers = new Map<number, Layer>();
  #next = 0;

  constructor(private readonly weights: Weights) {}

  /** The next module's weights. */
  next(): Weights {
    return this.weights.at(this.#next++);
  }

  /** The next module has none: the layer before, or the one to come, does its work. */
  skip(): void {
    this.#next++;
  }

  /** A layer that ends with the module made last. */
  add(layer: Layer): void {
    this.layers.set(this.#next - 1, layer);
  }

  addBlocks(count: number, channels: number, activation: Activation): void {
    for (let i = 0; i < count; i++) {
      const block = new AutoencoderTinyBlock(this.next(), channels, activation);
      this.add((x) => block.forward(x));
    }
  }
}

function encoderLayers(weights: Weights, config: AutoencoderTinyConfig): ReadonlyMap<number, Layer> {
  const { inChannels, latentChannels, encoderChannels: channels, encoderBlocks, activation } = config;
  const list = new LayerList(weights);
  for (const [level, blocks] of encoderBlocks.entries()) {
    const conv = level === 0 ? new Conv2d(list.next(), inChannels, channels, SAME_SIZE) : new Conv2d(list.next(), channels, channels, { ...SAME_SIZE, stride: 2, bias: false });
    list.add((x) => conv.forward(x));
    list.addBlocks(blocks, channels, activation);
  }
  const last = new Conv2d(list.next(), channels, latentChannels, SAME_SIZE);
  list.add((x) => last.forward(x));
  return list.layers;
}

function decoderLayers(weights: Weights, config: AutoencoderTinyConfig): ReadonlyMap<number, Layer> {
  const { latentChannels, outChannels, decoderChannels: channels, decoderBlocks, activation, upsampling } = config;
  const list = new LayerList(weights);
  const first = new Conv2d(list.next(), latentChannels, channels, SAME_SIZE);
  list.skip();
  list.add((x) => first.forward(x, { activation }));
  for (const [level, blocks] of decoderBlocks.entries()) {
    list.addBlocks(blocks, channels, activation);
    if (level === decoderBlocks.length - 1) break;
    list.skip();
    const conv = new Conv2d(list.next(), channels, channels, { ...SAME_SIZE, bias: false });
    list.add((x) => (upsampling === 2 ? conv.forward(x, { upsample: 2 }) : conv.forward(upsampleNearest(x, [upsampling * x.dim(1), upsampling * x.dim(2)]))));
  }
  const last = new Conv2d(list.next(), channels, outChannels, SAME_SIZE);
  list.add((x) => last.forward(x));
  return list.layers;
}

function readConfig(config: Config): AutoencoderTinyConfig {
  const levels = (side: "encoder" | "decoder", blocks: readonly number[]) => {
    const counts = config.counts(`num_${side}_blocks`, blocks);
    const channels = config.countPerBlock(`${side}_block_out_channels`, counts.length, 64);
    if (channels.some((n) => n !== channels[0])) throw new ConfigError(`${config.name}: config key "${side}_block_out_channels" expected one size for all blocks, got [${channels}]`);
    return { blocks: counts, channels: channels[0] };
  };
  const encoder = levels("encoder", [1, 3, 3, 3]);
  const decoder = levels("decoder", [3, 3, 3, 1]);
  const read: AutoencoderTinyConfig = {
    inChannels: config.count("in_channels", 3),
    outChannels: config.count("out_channels", 3),
    latentChannels: config.count("latent_channels", 4),
    encoderChannels: encoder.channels,
    decoderChannels: decoder.channels,
    encoderBlocks: encoder.blocks,
    decoderBlocks: decoder.blocks,
    activation: ACTIVATIONS[config.oneOf("act_fn", Object.keys(ACTIVATIONS), "relu")],
    upsampling: config.count("upsampling_scaling_factor", 2),
    downsampling: 2 ** (decoder.blocks.length - 1),
    latentMagnitude: config.number("latent_magnitude", 3),
    latentShift: config.number("latent_shift", 0.5),
    scalingFactor: config.number("scaling_factor", 1),
    shiftFactor: config.number("shift_factor", 0),
    forceUpcast: config.boolean("force_upcast", false),
  };
  config.oneOf("upsample_fn", ["nearest"], "nearest");
  config.ignore("block_out_channels"); // the decoder's, once more
  config.finish();
  return read;
}
