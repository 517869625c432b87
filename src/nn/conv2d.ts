// Two-dimensional convolution, channels last.
import { conv2d, type Conv2dOptions } from "../kernels/conv2d.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Weight, Weights } from "./weights.ts";

export interface Conv2dShape {
  readonly kernel: number;
  readonly stride?: number;
  /** One number, or [top, bottom, left, right]. */
  readonly padding?: Conv2dOptions["padding"];
  readonly bias?: boolean;
}

export class Conv2d {
  readonly weight: Weight; // [O, kh, kw, I]
  readonly bias: Weight | null; // [O]
  readonly #stride: number;
  readonly #padding: Conv2dOptions["padding"];

  constructor(weights: Weights, inChannels: number, outChannels: number, { kernel, stride = 1, padding = 0, bias = true }: Conv2dShape) {
    this.weight = weights.take("weight", [outChannels, inChannels, kernel, kernel], { layout: "conv2d" });
    this.bias = bias ? weights.take("bias", [outChannels]) : null;
    this.#stride = stride;
    this.#padding = padding;
  }

  /** x [N, H, W, I] → [N, H', W', O]. */
  forward(x: Tensor, epilogue: Pick<Conv2dOptions, "activation" | "activateLast" | "residual" | "channelBias" | "upsample"> = {}): Tensor {
    return conv2d(x, this.weight, { bias: this.bias ?? undefined, stride: this.#stride, padding: this.#padding, ...epilogue });
  }
}
