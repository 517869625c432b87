// Rotary frequencies as config.json asks for them: plain, or stretched for contexts longer than those of training.
import { Config, ConfigError } from "../nn/config.ts";
import type { Rotary } from "../nn/rotary.ts";

/** What the rest of the config says. */
export interface RotaryDefaults {
  readonly headSize: number;
  /** The model's context, `max_position_embeddings`. */
  readonly maxPositions: number;
  readonly theta: number;
  /** Context of training, where the config says it beside the rotary part. */
  readonly trained?: number;
  /** Other names of kinds. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** What the frequencies of one kind are made of. */
interface Base extends RotaryDefaults {
  /** Channels that turn. */
  readonly size: number;
}

type Kind = (base: Base, config: Config) => Rotary;

const KINDS: Readonly<Record<string, Kind>> = {
  default: (base) => ({ frequencies: plain(base), scale: 1 }),
  /** NTK-aware scaling acts past the context only, where these models end. */
  dynamic: (base, config) => {
    config.ignore("factor", "original_max_position_embeddings", "alpha");
    return { frequencies: plain(base), scale: 1 };
  },
  /** Positions come closer together (kaiokendev 2023). */
  linear: (base, config) => {
    const factor = config.number("factor");
    return { frequencies: plain(base).map((frequency) => frequency / factor), scale: 1 };
  },
  llama3,
  yarn,
  longrope,
};

/**
 * The rotary frequencies of a config: `rope_parameters`, as transformers writes them since version 5, or `rope_theta` and
 * `rope_scaling` as before. Throws ConfigError for kinds that are not supported.
 */
export function readRotary(config: Config, defaults: RotaryDefaults): Rotary {
  const written = config.get("rope_parameters") ?? config.get("rope_scaling");
  const theta = config.number("rope_theta", defaults.theta);
  const partial = config.number("partial_rotary_factor", 1);
  return rotaryOf(`${config.name}: rope`, written ?? {}, { ...defaults, theta, partial });
}

/** The same of one kind, written as an object. `partial`: the share of a head's channels that turn. */
export function rotaryOf(name: string, written: unknown, { partial = 1, ...defaults }: RotaryDefaults & { readonly partial?: number }): Rotary {
  const config = new Config(name, written);
  const said = config.get("rope_type") ?? config.get("type") ?? "default";
  config.ignore("type"); // files of one version say both
  const kind = typeof said === "string" ? (defaults.aliases?.[said] ?? said) : said;
  if (typeof kind !== "string" || !Object.hasOwn(KINDS, kind)) throw new ConfigError(`${name}: config key "rope_type" expected ${Object.keys(KINDS).join(", ")}, got ${JSON.stringify(said)}`);
  const theta = config.number("rope_theta", defaults.theta);
  const size = Math.floor(defaults.headSize * config.number("partial_rotary_factor", partial));
  if (size < 2 || size % 2 || size > defaults.headSize) throw new ConfigError(`${name}: ${size} of ${defaults.headSize} channels cannot turn in pairs`);
  const rotary = KINDS[kind]({ ...defaults, theta, size }, config);
  config.finish();
  return rotary;
}

/** θ^(−2i / R). */
function plain({ theta, size }: Base): Float32Array {
  return Float32Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));
}

/** Llama 3.1: long waves slow down, short ones stay, those between are blended (Grattafiori et al. 2024, arXiv 2407.21783). */
function llama3(base: Base, config: Config): Rotary {
  const [factor, low, high] = [config.number("factor"), config.number("low_freq_factor"), config.number("high_freq_factor")];
  const trained = trainedOf(base, config);
  const frequencies = plain(base).map((frequency) => {
    const turns = (trained * frequency) / (2 * Math.PI); // within the context of training
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return frequency * (kept + (1 - kept) / factor);
  });
  return { frequencies, scale: 1 };
}

/** LongRoPE (Ding et al. 2024, arXiv 2402.13753), within the context of training; past it the keys of all tokens so far would have to turn anew. */
function longrope(base: Base, config: Config): Rotary {
  const { maxPositions } = base;
  const trained = trainedOf(base, config);
  const factors = config.get("short_factor");
  config.ignore("long_factor");
  const fits = Array.isArray(factors) && factors.length === base.size / 2 && factors.every((factor): factor is number => typeof factor === "number" && factor > 0);
  if (!fits) throw new ConfigError(`${config.name}: config key "short_factor" expected ${base.size / 2} positive numbers`);
  const factor = config.number("factor", maxPositions / trained);
  const scale = config.number("attention_factor", factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(trained)));
  return { frequencies: plain(base).map((frequency, i) => frequency / factors[i]), scale, reach: trained };
}

/** Tokens of context in training: said beside the rotary part, in it, or nowhere. */
function trainedOf({ trained, maxPositions }: Base, config: Config): number {
  const said = config.count("original_max_position_embeddings", maxPositions);
  return trained ?? said;
}

/** YaRN (Peng et al. 2023, arXiv 2309.00071). */
function yarn(base: Base, config: Config): Rotary {
  const { theta, size, maxPositions } = base;
  const trained = trainedOf(base, config);
  const factor = config.number("factor", maxPositions / trained);
  const [fast, slow] = [config.number("beta_fast", 32), config.number("beta_slow", 1)];
  const [mscale, mscaleAll] = [config.number("mscale", 0), config.number("mscale_all_dim", 0)];
  const truncate = config.boolean("truncate", true);
  const growth = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const scale = config.number("attention_factor", mscale && mscaleAll ? growth(mscale) / growth(mscaleAll) : growth(1));
  const pairTurning = (turns: number) => (size * Math.log(trained / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [pairTurning(fast), pairTurning(slow)];
  const start = Math.max(truncate ? Math.floor(first) : first, 0);
  const end = Math.min(truncate ? Math.ceil(last) : last, size - 1);
  const frequencies = plain(base).map((frequency, i) => {
    const slowed = Math.min(1, Math.max(0, (i - start) / (end === start ? 0.001 : end - start)));
    return frequency * (1 - slowed + slowed / factor);
  });
  return { frequencies, scale };
}
