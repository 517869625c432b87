// AutoencoderKL: pictures to latents and back (Kingma & Welling 2013; Rombach et al. 2022, arXiv 2112.10752), as diffusers computes it.
import { concat } from "../kernels/concat.ts";
import { add, affine, clamp, exp, mul } from "../kernels/elementwise.ts";
import { Config, ConfigError } from "../nn/config.ts";
import { Conv2d } from "../nn/conv2d.ts";
import { scoped } from "../nn/scoped.ts";
import type { Weights, WeightsOptions } from "../nn/weights.ts";
import { BYTES } from "../tensor/dtype.ts";
import { expectShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type CoderConfig, Decoder, Encoder } from "./autoencoder-kl-blocks.ts";

export interface AutoencoderKLConfig extends CoderConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly latentChannels: number;
  readonly useQuantConv: boolean;
  readonly usePostQuantConv: boolean;
  /** Pixels per latent, along a side. */
  readonly downsampling: number;
  /** A diffusion model works on (latents - shiftFactor) · scalingFactor. */
  readonly scalingFactor: number;
  readonly shiftFactor: number;
  /** The publisher's note that activations pass f16's range: store f32 in a pipeline of f16. */
  readonly forceUpcast: boolean;
}

/** Files written before diffusers 0.13 name the attention's projections otherwise (and the oldest store them as 1×1 convolutions, which Linear takes). */
export const autoencoderKLNames: Pick<WeightsOptions, "renames"> = {
  renames: [
    [/(\.attentions\.\d+\.)query\./, "$1to_q."],
    [/(\.attentions\.\d+\.)key\./, "$1to_k."],
    [/(\.attentions\.\d+\.)value\./, "$1to_v."],
    [/(\.attentions\.\d+\.)proj_attn\./, "$1to_out.0."],
  ],
};

/** A normal distribution of latents, one mean and one logarithm of the variance each: [N, h, w, C]. */
export interface Posterior {
  readonly mean: Tensor;
  /** Held within -30 … 20. */
  readonly logvar: Tensor;
}

export class AutoencoderKL {
  readonly config: AutoencoderKLConfig;
  /** What activations are stored as. */
  readonly dtype: "f32" | "f16";
  readonly encoder: Encoder;
  readonly decoder: Decoder;
  readonly quantConv: Conv2d | null;
  readonly postQuantConv: Conv2d | null;

  /** `json`: the checkpoint's config.json. Throws ConfigError for what is not supported. */
  constructor(weights: Weights, json: unknown) {
    const config = readConfig(new Config("AutoencoderKL", json));
    const { inChannels, outChannels, latentChannels } = config;
    this.config = config;
    this.dtype = weights.dtype;
    this.encoder = new Encoder(weights.at("encoder"), inChannels, 2 * latentChannels, config);
    this.decoder = new Decoder(weights.at("decoder"), latentChannels, outChannels, config);
    this.quantConv = config.useQuantConv ? new Conv2d(weights.at("quant_conv"), 2 * latentChannels, 2 * latentChannels, { kernel: 1 }) : null;
    this.postQuantConv = config.usePostQuantConv ? new Conv2d(weights.at("post_quant_conv"), latentChannels, latentChannels, { kernel: 1 }) : null;
  }

  /** Pictures [N, H, W, inChannels] in -1 … 1 → the distribution of their latents, unscaled. Throws ShapeError. */
  encode(x: Tensor): Posterior {
    expectShape("autoencoder: x", x, [null, null, null, this.config.inChannels]);
    const { latentChannels } = this.config;
    using scope = x.gpu.scope();
    const moments = this.#bySamples(x, x.dim(1) * x.dim(2), (one) => {
      const encoded = this.encoder.forward(one); // [n, h, w, 2 C]
      return this.quantConv ? this.quantConv.forward(encoded) : encoded;
    });
    const mean = moments.slice(3, 0, latentChannels);
    const logvar = clamp(moments.slice(3, latentChannels, 2 * latentChannels), -30, 20);
    return { mean: scope.keep(mean), logvar: scope.keep(logvar) };
  }

  /** Unscaled latents [N, h, w, latentChannels] → pictures [N, H, W, outChannels] in about -1 … 1. Throws ShapeError. */
  decode(z: Tensor): Tensor {
    expectShape("autoencoder: z", z, [null, null, null, this.config.latentChannels]);
    return this.#bySamples(z, z.dim(1) * z.dim(2) * this.config.downsampling ** 2, (one) => this.decoder.forward(this.postQuantConv ? this.postQuantConv.forward(one) : one));
  }

  /** Pictures together as long as the largest activation fits a binding, else one after the other: they do not depend on each other. */
  #bySamples(x: Tensor, pixels: number, coder: (x: Tensor) => Tensor): Tensor {
    const { gpu } = x;
    const n = x.dim(0);
    const widest = Math.max(...this.config.channels.slice(0, 2)); // at full size
    const together = Math.max(1, Math.floor(gpu.limits.maxStorageBufferBindingSize / (pixels * widest * BYTES[x.dtype])));
    return scoped(gpu, () => {
      const parts: Tensor[] = [];
      for (let start = 0; start < n; start += together) parts.push(scoped(gpu, () => coder(x.slice(0, start, Math.min(n, start + together)))));
      return parts.length === 1 ? parts[0] : concat(parts, 0);
    });
  }
}

/** mean + exp(logvar / 2) · noise. `noise`: standard normals [N, h, w, C]. Throws ShapeError. */
export function samplePosterior({ mean, logvar }: Posterior, noise: Tensor): Tensor {
  expectShape("samplePosterior: noise", noise, mean.shape);
  return scoped(mean.gpu, () => add(mean, mul(exp(affine(logvar, 0.5)), noise)));
}

function readConfig(config: Config): AutoencoderKLConfig {
  const channels = config.counts("block_out_channels", [64]);
  for (const [key, type] of [["down_block_types", "DownEncoderBlock2D"], ["up_block_types", "UpDecoderBlock2D"]] as const) {
    const types = config.listOf(key, [type], [type]);
    if (types.length !== channels.length) throw new ConfigError(`${config.name}: config key "${key}" expected ${channels.length} blocks, as many as block_out_channels, got ${types.length}`);
  }
  const read: AutoencoderKLConfig = {
    inChannels: config.count("in_channels", 3),
    outChannels: config.count("out_channels", 3),
    latentChannels: config.count("latent_channels", 4),
    channels,
    layers: config.count("layers_per_block", 1),
    groups: config.count("norm_num_groups", 32),
    midAttention: config.boolean("mid_block_add_attention", true),
    useQuantConv: config.boolean("use_quant_conv", true),
    usePostQuantConv: config.boolean("use_post_quant_conv", true),
    downsampling: 2 ** (channels.length - 1),
    scalingFactor: config.number("scaling_factor", 0.18215),
    shiftFactor: config.number("shift_factor", 0),
    forceUpcast: config.boolean("force_upcast", true),
  };
  const uneven = channels.find((n) => n % read.groups);
  if (uneven) throw new ConfigError(`${config.name}: config key "norm_num_groups" expected a divisor of ${uneven}, got ${read.groups}`);
  config.oneOf("act_fn", ["silu", "swish"], "silu");
  config.ignore("sample_size");
  config.finish(); // latents_mean and latents_std are refused unless null
  return read;
}
