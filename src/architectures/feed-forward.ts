// The part of a decoder block that looks at each token alone.
import type { Activation } from "../kernels/activation.ts";
import { glu, gluOfHalves } from "../kernels/glu.ts";
import { Linear } from "../nn/linear.ts";
import type { Weights } from "../nn/weights.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Experts, type ExpertsConfig } from "./experts.ts";

export interface FeedForward {
  /** x [..., D] plus, if given, a residual f32 of its shape → [..., D] f32: what layers add to grows past what f16 holds. */
  forward(x: Tensor, residual?: Tensor): Tensor;
}

/** A gated linear unit (Shazeer 2020, arXiv 2002.05202). */
export interface GatedMlpConfig {
  readonly kind: "gated";
  readonly width: number;
  readonly activation: Activation;
  readonly bias: boolean;
  /** Gate and value come from one matrix, `gate_up_proj`. */
  readonly fused: boolean;
}

export type FeedForwardConfig = GatedMlpConfig | ExpertsConfig;

/** The feed-forward part that the config asks for, of `hidden` channels. */
export function feedForwardOf(weights: Weights, hidden: number, config: FeedForwardConfig): FeedForward {
  if (config.kind === "experts") return new Experts(weights, hidden, config);
  return config.fused ? new FusedGatedMlp(weights, hidden, config) : new GatedMlp(weights, hidden, config);
}

class GatedMlp implements FeedForward {
  readonly gateProj: Linear;
  readonly upProj: Linear;
  readonly downProj: Linear;
  readonly #activation: Activation;

  constructor(weights: Weights, hidden: number, { width, activation, bias }: GatedMlpConfig) {
    this.gateProj = new Linear(weights.at("gate_proj"), hidden, width, { bias });
    this.upProj = new Linear(weights.at("up_proj"), hidden, width, { bias });
    this.downProj = new Linear(weights.at("down_proj"), width, hidden, { bias });
    this.#activation = activation;
  }

  forward(x: Tensor, residual?: Tensor): Tensor {
    const wide = glu(this.upProj.forward(x), this.gateProj.forward(x), this.#activation); // [..., width]
    return this.downProj.forward(wide, { residual, dtype: "f32" });
  }
}

class FusedGatedMlp implements FeedForward {
  readonly gateUpProj: Linear;
  readonly downProj: Linear;
  readonly #activation: Activation;

  constructor(weights: Weights, hidden: number, { width, activation, bias }: GatedMlpConfig) {
    this.gateUpProj = new Linear(weights.at("gate_up_proj"), hidden, 2 * width, { bias });
    this.downProj = new Linear(weights.at("down_proj"), width, hidden, { bias });
    this.#activation = activation;
  }

  forward(x: Tensor, residual?: Tensor): Tensor {
    const wide = gluOfHalves(this.gateUpProj.forward(x), this.#activation); // [..., width]
    return this.downProj.forward(wide, { residual, dtype: "f32" });
  }
}
