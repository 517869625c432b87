// Two-dimensional convolution, channels last, as an implicit matrix product with its epilogue.
import source from "/shaders/conv2d.wgsl?raw";
import { BYTES } from "../tensor/dtype.ts";
import { expectShape, formatShape, ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import type { Activation } from "./activation.ts";
import { bandsOf } from "./bands.ts";
import { copyInto } from "./copy.ts";
import { type Choice, defineGemm } from "./gemm.ts";
import { ceilToQuad, inQuads, padRows } from "./pad.ts";

const gemm = defineGemm("conv2d", source, ["x", "weight"], "x");

export interface Conv2dOptions {
  /** [O] */
  readonly bias?: Tensor;
  readonly stride?: number;
  /** Zeros around x: one number, or [top, bottom, left, right]. */
  readonly padding?: number | readonly [top: number, bottom: number, left: number, right: number];
  readonly activation?: Activation;
  /** [N, H', W', O], added after the activation; before it with `activateLast`. */
  readonly residual?: Tensor;
  readonly activateLast?: boolean;
  /** [N, O], added before the activation, such as a time embedding. */
  readonly channelBias?: Tensor;
  /** Repeats every pixel of x so often in both directions first; the larger picture is never stored. */
  readonly upsample?: 1 | 2;
}

/** x [N, H, W, I], weight [O, kh, kw, I] → [N, H', W', O] of x's dtype. Sums in f32. Throws ShapeError. */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const { bias, stride = 1, padding = 0, residual, channelBias, upsample = 1 } = options;
  expectShape("conv2d: x", x, [null, null, null, null]);
  const [images, height, width, channels] = x.shape;
  expectShape("conv2d: weight", weight, [null, null, null, channels]);
  const [outChannels, kernelHeight, kernelWidth] = weight.shape;
  const [top, bottom, left, right] = typeof padding === "number" ? [padding, padding, padding, padding] : padding;
  const outHeight = Math.floor((height * upsample + top + bottom - kernelHeight) / stride) + 1;
  const outWidth = Math.floor((width * upsample + left + right - kernelWidth) / stride) + 1;
  if (outHeight < 1 || outWidth < 1) throw new ShapeError(`conv2d: a kernel of ${kernelHeight} × ${kernelWidth} is larger than padded x ${formatShape(x.shape)}`);
  if (bias) expectShape("conv2d: bias", bias, [outChannels]);
  if (channelBias) expectShape("conv2d: channelBias", channelBias, [images, outChannels]);
  if (residual) expectShape("conv2d: residual", residual, [images, outHeight, outWidth, outChannels]);

  using scope = x.gpu.scope();
  const out = scope.keep(empty(x.gpu, [images, outHeight, outWidth, outChannels], x.dtype));
  if (out.size === 0) return out;
  const quads = (operand: Tensor, last: number) => inQuads(padRows(operand, last));
  const [cols, terms] = [ceilToQuad(outChannels), ceilToQuad(channels)];
  const target = cols === outChannels ? out : empty(x.gpu, [images, outHeight, outWidth, cols], x.dtype);
  const perOutput = quads(weight, terms).reshape([1, -1]);
  launch(quads(x, terms), quads(perOutput, cols * kernelHeight * kernelWidth * terms).reshape([cols, kernelHeight, kernelWidth, terms]), target, {
    stride, upsample,
    activation: options.activation,
    activateLast: options.activateLast,
    padding: [top, bottom, left, right],
    bias: bias && quads(bias, cols),
    channelBias: channelBias && quads(channelBias, cols),
    residual: residual && quads(residual, cols),
  });
  if (target !== out) copyInto(target.slice(3, 0, outChannels), out);
  return out;
}

type Launch = Conv2dOptions & { readonly stride: number; readonly padding: readonly [number, number, number, number]; readonly upsample: number };

/** All of out in one launch, or image by image in bands of rows; a band's part of x has its halo, and zeros only at the picture's edges. */
function launch(x: Tensor, weight: Tensor, out: Tensor, options: Launch): void {
  const { stride, padding, upsample, channelBias, residual } = options;
  const [images, height, width, channels] = x.shape;
  const [, outHeight, outWidth, outChannels] = out.shape;
  const [, kernelHeight, kernelWidth] = weight.shape;
  const choice = gemm.choose(x.gpu, images * outHeight * outWidth, outChannels, kernelHeight * kernelWidth * channels);
  const rowBytes = [outWidth * outChannels * BYTES[out.dtype], (Math.ceil(stride / upsample) * width * channels * BYTES[x.dtype])];
  const rowFlops = 2 * outWidth * outChannels * kernelHeight * kernelWidth * channels;
  const rows = images * Math.max(outHeight, Math.ceil((height * upsample) / stride));
  if (bandsOf(x.gpu, "conv2d", rows, { rowBytes, rowFlops, strided: true }).length === 1) return run(x, weight, out, choice, options);
  const [top] = padding;
  for (let image = 0; image < images; image++) {
    const one = x.slice(0, image, image + 1);
    for (const { start, end } of bandsOf(x.gpu, "conv2d", outHeight, { rowBytes, rowFlops, halo: Math.ceil((kernelHeight * upsample) / stride), strided: true })) {
      const first = Math.max(0, Math.floor((start * stride - top) / upsample));
      const last = Math.min(height, Math.floor(((end - 1) * stride - top + kernelHeight - 1) / upsample) + 1);
      run(one.slice(1, first, Math.max(first + 1, last)), weight, out.slice(0, image, image + 1).slice(1, start, end), choice, {
        ...options,
        padding: [top - start * stride + first * upsample, 0, padding[2], padding[3]],
        channelBias: channelBias?.slice(0, image, image + 1),
        residual: residual?.slice(0, image, image + 1).slice(1, start, end),
      });
    }
  }
}

function run(x: Tensor, weight: Tensor, out: Tensor, choice: Choice, { stride, padding: [top, , left], upsample, bias, channelBias, residual, activation, activateLast }: Launch): void {
  const [images, height, width, channels] = x.shape;
  const [, outHeight, outWidth, cols] = out.shape;
  const [, kernelHeight, kernelWidth] = weight.shape;
  const taps = kernelHeight * kernelWidth;
  const pixels = outHeight * outWidth;
  const rows = images * pixels;
  gemm.run(choice, {
    operands: { x, weight },
    params: {
      rows, taps, height, width, stride, top, left,
      quads: channels / 4, upsample: upsample - 1, kernel_width: kernelWidth,
      out_pixels: pixels, out_width: outWidth, out_channels: cols,
    },
    out, rows, cols, pixels,
    batch: 1, terms: taps * channels,
    epilogue: { bias, channelBias, residual, activation, activateLast },
  });
}
