// A mixture of experts as the feed-forward part of a decoder block: each token takes from the few gated units that its router likes best (Shazeer et al. 2017, arXiv 1701.06538).
import type { Activation } from "../kernels/activation.ts";
import { type ExpertMatrix, expertProducts, groupByExpert, routeToExperts, sumExperts } from "../kernels/experts.ts";
import { glu } from "../kernels/glu.ts";
import { linear } from "../kernels/linear.ts";
import { type Config, ConfigError } from "../nn/config.ts";
import { takeStack } from "../nn/packed-matrices.ts";
import { scoped } from "../nn/scoped.ts";
import type { Weight, Weights } from "../nn/weights.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface ExpertsConfig {
  readonly kind: "experts";
  readonly count: number;
  /** Experts of a token. */
  readonly used: number;
  /** Channels within an expert. */
  readonly width: number;
  readonly activation: Activation;
  /** The shares of a token's experts add up to 1; otherwise they are what the softmax over all experts gave them. */
  readonly normalised: boolean;
}

/** `used` of `count` experts under these keys. Throws ConfigError where there are not as many. */
export function readExpertCounts(config: Config, countKey: string, defaults: { readonly count: number; readonly used: number }): Pick<ExpertsConfig, "count" | "used"> {
  const count = config.count(countKey, defaults.count);
  const used = config.count("num_experts_per_tok", defaults.used);
  if (used > count) throw new ConfigError(`${config.name}: config key "num_experts_per_tok" expected at most ${count}, got ${used}`);
  return { count, used };
}

export class Experts {
  readonly router: Weight; // [count, D], never quantised: it decides
  readonly gate: ExpertMatrix;
  readonly up: ExpertMatrix;
  readonly down: ExpertMatrix;

  constructor(weights: Weights, hidden: number, private readonly config: ExpertsConfig) {
    const { count, width } = config;
    const experts = weights.at("experts");
    this.router = weights.at("gate").take("weight", [count, hidden]);
    if (experts.has("gate_up_proj")) { // as transformers 5 keeps them: all in one tensor, an expert's gate above its up
      const both = experts.takeMatrix("gate_up_proj", [count * 2 * width, hidden], { or: [[count, 2 * width, hidden]] });
      this.gate = { weight: both, experts: count, cols: width };
      this.up = { weight: both, experts: count, cols: width, first: width };
      this.down = { weight: experts.takeMatrix("down_proj", [count * hidden, width], { or: [[count, hidden, width]] }), experts: count, cols: hidden };
      return;
    }
    const stack = (name: string, cols: number, terms: number): ExpertMatrix => {
      const names = Array.from({ length: count }, (_, i) => `${i}.${name}.weight`);
      return { weight: takeStack(experts, names, [cols, terms]), experts: count, cols };
    };
    this.gate = stack("gate_proj", width, hidden);
    this.up = stack("up_proj", width, hidden);
    this.down = stack("down_proj", hidden, width);
  }

  /** x [..., D] plus, if given, a residual f32 of its shape → [..., D] f32. Nothing is read back: the experts are picked on the GPU. */
  forward(x: Tensor, residual?: Tensor): Tensor {
    const { count, used, activation, normalised } = this.config;
    const hidden = x.dim(-1);
    return scoped(x.gpu, () => {
      const rows = x.reshape([-1, hidden]);
      const { ids, shares } = routeToExperts(linear(rows, this.router, { dtype: "f32" }), used, { normalised });
      const groups = groupByExpert(ids, count);
      const wide = glu(expertProducts(rows, this.up, groups), expertProducts(rows, this.gate, groups), activation); // [rows · used, width]
      return sumExperts(expertProducts(wide, this.down, groups, "f32"), shares, residual?.reshape([-1, hidden])).reshape(x.shape);
    });
  }
}
