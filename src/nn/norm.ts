// Group norm (Wu & He 2018) and layer norm (Ba et al. 2016), with their learned scale and shift.
import { groupNorm, type GroupNormOptions } from "../kernels/group-norm.ts";
import { layerNorm } from "../kernels/layer-norm.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Weight, Weights } from "./weights.ts";

export class GroupNorm {
  readonly weight: Weight; // [C]
  readonly bias: Weight; // [C]

  constructor(weights: Weights, readonly groups: number, channels: number, readonly eps: number) {
    this.weight = weights.take("weight", [channels]);
    this.bias = weights.take("bias", [channels]);
  }

  /** x [N, ..., C] → the same shape; optionally ·(1 + scale) + shift, [N, C] each, then the activation. */
  forward(x: Tensor, epilogue: Pick<GroupNormOptions, "activation" | "scale" | "shift"> = {}): Tensor {
    return groupNorm(x, this.weight, this.bias, { groups: this.groups, eps: this.eps, ...epilogue });
  }
}

export class LayerNorm {
  readonly weight: Weight; // [C]
  readonly bias: Weight; // [C]

  constructor(weights: Weights, channels: number, readonly eps: number) {
    this.weight = weights.take("weight", [channels]);
    this.bias = weights.take("bias", [channels]);
  }

  /** x [..., C] → the same shape. */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, this.eps);
  }
}
