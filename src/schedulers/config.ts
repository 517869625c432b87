// scheduler_config.json as diffusers' constructors read it: each class has its own defaults and leaves out the others' keys.

import { Config, ConfigError } from "../nn/config.ts";
import { BETA_SCHEDULES, type BetaSchedule } from "./betas.ts";
import { PREDICTION_TYPES, type PredictionType } from "./prediction.ts";
import { TIMESTEP_SPACINGS, type TimestepSpacing } from "./spacing.ts";

/** What the schedulers here read. Fields that a class does not have hold the neutral value. */
export interface SchedulerConfig {
  readonly numTrainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: BetaSchedule;
  /** One per training timestep, in place of a schedule. */
  readonly trainedBetas: readonly number[] | null;
  readonly rescaleBetasZeroSnr: boolean;
  readonly predictionType: PredictionType;
  readonly timestepSpacing: TimestepSpacing;
  readonly stepsOffset: number;
  /** Past the first timestep: no noise at all, or that timestep's. */
  readonly setAlphaToOne: boolean;
  /** The predicted image stays within ± this. */
  readonly clip: number | undefined;
  readonly useKarrasSigmas: boolean;
  readonly sigmaMin: number | null;
  readonly sigmaMax: number | null;
  readonly finalSigmasType: "zero" | "sigma_min";
  readonly skipPrkSteps: boolean;
  readonly solverOrder: 1 | 2;
  readonly solverType: "midpoint" | "heun";
  readonly lowerOrderFinal: boolean;
  readonly eulerAtFinal: boolean;
  readonly lambdaMinClipped: number;
  readonly originalInferenceSteps: number;
  readonly timestepScaling: number;
}

const NEUTRAL: SchedulerConfig = {
  numTrainTimesteps: 1000,
  betaStart: 0.0001,
  betaEnd: 0.02,
  betaSchedule: "linear",
  trainedBetas: null,
  rescaleBetasZeroSnr: false,
  predictionType: "epsilon",
  timestepSpacing: "leading",
  stepsOffset: 0,
  setAlphaToOne: true,
  clip: undefined,
  useKarrasSigmas: false,
  sigmaMin: null,
  sigmaMax: null,
  finalSigmasType: "zero",
  skipPrkSteps: false,
  solverOrder: 2,
  solverType: "midpoint",
  lowerOrderFinal: true,
  eulerAtFinal: false,
  lambdaMinClipped: -Infinity,
  originalInferenceSteps: 50,
  timestepScaling: 10,
};

type Part = Partial<SchedulerConfig>;

const READERS = {
  DDIMScheduler: (c) => ({
    ...noiseSchedule(c),
    ...zeroSnr(c),
    predictionType: c.oneOf("prediction_type", PREDICTION_TYPES, "epsilon"),
    timestepSpacing: c.oneOf("timestep_spacing", TIMESTEP_SPACINGS, "leading"),
    setAlphaToOne: c.boolean("set_alpha_to_one", true),
    clip: clipRange(c, true),
  }),
  PNDMScheduler: (c) => ({
    ...noiseSchedule(c),
    predictionType: c.oneOf("prediction_type", ["epsilon", "v_prediction"], "epsilon"),
    timestepSpacing: c.oneOf("timestep_spacing", TIMESTEP_SPACINGS, "leading"),
    setAlphaToOne: c.boolean("set_alpha_to_one", false),
    skipPrkSteps: c.boolean("skip_prk_steps", false),
  }),
  EulerDiscreteScheduler: (c) => {
    c.oneOf("interpolation_type", ["linear"], "linear");
    c.oneOf("timestep_type", ["discrete"], "discrete");
    return {
      ...noiseSchedule(c),
      ...zeroSnr(c),
      ...noiseLevels(c),
      // "original_sample" is the older name.
      predictionType: asSample(c.oneOf("prediction_type", [...PREDICTION_TYPES, "original_sample"], "epsilon")),
      timestepSpacing: c.oneOf("timestep_spacing", TIMESTEP_SPACINGS, "linspace"),
    };
  },
  EulerAncestralDiscreteScheduler: (c) => ({
    ...noiseSchedule(c),
    ...zeroSnr(c),
    predictionType: c.oneOf("prediction_type", ["epsilon", "v_prediction"], "epsilon"),
    timestepSpacing: c.oneOf("timestep_spacing", TIMESTEP_SPACINGS, "linspace"),
  }),
  DPMSolverMultistepScheduler: (c) => {
    c.oneOf("thresholding", [false], false);
    c.oneOf("algorithm_type", ["dpmsolver++", "deis"], "dpmsolver++"); // diffusers reads "deis" as the former
    c.oneOf("use_lu_lambdas", [false], false);
    c.oneOf("use_flow_sigmas", [false], false);
    c.oneOf("variance_type", [null], null);
    return {
      ...noiseSchedule(c),
      ...zeroSnr(c),
      ...noiseLevels(c),
      predictionType: c.oneOf("prediction_type", PREDICTION_TYPES, "epsilon"),
      timestepSpacing: c.oneOf("timestep_spacing", TIMESTEP_SPACINGS, "linspace"),
      solverOrder: c.oneOf("solver_order", [1, 2], 2),
      // Solver types of related classes mean "midpoint" here, as in diffusers.
      solverType: c.oneOf("solver_type", ["midpoint", "heun", "logrho", "bh1", "bh2"], "midpoint") === "heun" ? "heun" : "midpoint",
      lowerOrderFinal: c.boolean("lower_order_final", true),
      eulerAtFinal: c.boolean("euler_at_final", false),
      lambdaMinClipped: lambdaMin(c),
    };
  },
  LCMScheduler: (c) => ({
    ...noiseSchedule(c, { betaStart: 0.00085, betaEnd: 0.012, betaSchedule: "scaled_linear" }),
    ...zeroSnr(c),
    predictionType: c.oneOf("prediction_type", PREDICTION_TYPES, "epsilon"),
    clip: clipRange(c, false),
    originalInferenceSteps: c.count("original_inference_steps", 50),
    timestepScaling: c.number("timestep_scaling", 10),
  }),
} satisfies Record<string, (config: Config) => Part>;

export type SchedulerClass = keyof typeof READERS;

export function isSchedulerClass(name: unknown): name is SchedulerClass {
  return typeof name === "string" && Object.hasOwn(READERS, name);
}

/** Keys that some scheduler class of diffusers has and its other classes leave out, as `from_config` does. */
const KEYS_OF_ALL_CLASSES = [
  ..."algorithm_type beta_end beta_schedule beta_start clip_sample clip_sample_range dynamic_thresholding_ratio".split(" "),
  ..."euler_at_final final_sigmas_type flow_shift interpolation_type lambda_min_clipped lower_order_final".split(" "),
  ..."num_train_timesteps original_inference_steps prediction_type rescale_betas_zero_snr sample_max_value".split(" "),
  ..."set_alpha_to_one sigma_max sigma_min skip_prk_steps solver_order solver_type steps_offset thresholding".split(" "),
  ..."time_shift_type timestep_scaling timestep_spacing timestep_type trained_betas use_beta_sigmas".split(" "),
  ..."use_dynamic_shifting use_exponential_sigmas use_flow_sigmas use_karras_sigmas use_lu_lambdas variance_type".split(" "),
  ..."disable_corrector predict_x0 rho shift_terminal sigma_data sigma_schedule solver_p".split(" "),
];

/** `json` as `className` reads it. Throws ConfigError, naming the key, for what is not supported. */
export function readConfig(className: SchedulerClass, json: unknown): SchedulerConfig {
  const config = new Config(className, json);
  const read: Part = READERS[className](config);
  config.ignore(...KEYS_OF_ALL_CLASSES);
  config.finish();
  return { ...NEUTRAL, ...read };
}

/** scheduler_config.json's text as a value. Python writes infinities, which JSON does not have. Throws ConfigError. */
export function parseSchedulerConfig(text: string): unknown {
  try {
    return JSON.parse(text.replace(/(?<=:\s*-?)Infinity(?=\s*[,}])/g, "1e999")) as unknown;
  } catch (error) {
    throw new ConfigError(`scheduler_config.json is no JSON (${error instanceof Error ? error.message : String(error)})`);
  }
}

function noiseSchedule(c: Config, defaults: Pick<SchedulerConfig, "betaStart" | "betaEnd" | "betaSchedule"> = NEUTRAL): Part {
  const numTrainTimesteps = c.count("num_train_timesteps", 1000);
  const trainedBetas = c.get("trained_betas") ?? null;
  const isBetas = (value: unknown): value is number[] =>
    Array.isArray(value) && value.length === numTrainTimesteps && value.every((beta) => typeof beta === "number" && beta >= 0 && beta <= 1);
  if (trainedBetas !== null && !isBetas(trainedBetas)) {
    throw new ConfigError(`${c.name}: config key "trained_betas" expected ${numTrainTimesteps} numbers in 0 … 1, or null`);
  }
  return {
    numTrainTimesteps,
    trainedBetas,
    betaStart: c.number("beta_start", defaults.betaStart),
    betaEnd: c.number("beta_end", defaults.betaEnd),
    betaSchedule: c.oneOf("beta_schedule", BETA_SCHEDULES, defaults.betaSchedule),
    stepsOffset: c.number("steps_offset", 0),
  };
}

function zeroSnr(c: Config): Part {
  return { rescaleBetasZeroSnr: c.boolean("rescale_betas_zero_snr", false) };
}

function clipRange(c: Config, byDefault: boolean): number | undefined {
  c.oneOf("thresholding", [false], false);
  const range = c.number("clip_sample_range", 1);
  return c.boolean("clip_sample", byDefault) ? range : undefined;
}

function noiseLevels(c: Config): Part {
  c.oneOf("use_exponential_sigmas", [false, null], false);
  c.oneOf("use_beta_sigmas", [false, null], false);
  return {
    useKarrasSigmas: c.boolean("use_karras_sigmas", false),
    sigmaMin: optionalNumber(c, "sigma_min"),
    sigmaMax: optionalNumber(c, "sigma_max"),
    finalSigmasType: c.oneOf("final_sigmas_type", ["zero", "sigma_min"], "zero"),
  };
}

function optionalNumber(c: Config, key: string): number | null {
  return c.get(key) == null ? null : c.number(key);
}

function lambdaMin(c: Config): number {
  const value = c.get("lambda_min_clipped") ?? -Infinity;
  if (typeof value !== "number") throw new ConfigError(`${c.name}: config key "lambda_min_clipped" expected a number, got ${JSON.stringify(value)}`);
  return value;
}

function asSample(type: PredictionType | "original_sample"): PredictionType {
  return type === "original_sample" ? "sample" : type;
}
