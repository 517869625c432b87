// A scheduler by its name or by its checkpoint's config.

import { ConfigError } from "../nn/config.ts";
import { isSchedulerClass, readConfig, type SchedulerClass, type SchedulerConfig } from "./config.ts";
import { ddim } from "./ddim.ts";
import { dpmpp2m } from "./dpmpp-2m.ts";
import { euler } from "./euler.ts";
import { eulerAncestral } from "./euler-ancestral.ts";
import { lcm } from "./lcm.ts";
import type { Scheduler } from "./plan.ts";
import { pndm } from "./pndm.ts";

export const SCHEDULER_NAMES = ["ddim", "pndm", "euler", "euler-ancestral", "dpmpp-2m", "dpmpp-2m-karras", "lcm"] as const;
export type SchedulerName = (typeof SCHEDULER_NAMES)[number];

const CLASS_OF: Record<SchedulerName, SchedulerClass> = {
  ddim: "DDIMScheduler",
  pndm: "PNDMScheduler",
  euler: "EulerDiscreteScheduler",
  "euler-ancestral": "EulerAncestralDiscreteScheduler",
  "dpmpp-2m": "DPMSolverMultistepScheduler",
  "dpmpp-2m-karras": "DPMSolverMultistepScheduler",
  lcm: "LCMScheduler",
};

const CREATE: Record<SchedulerClass, (config: SchedulerConfig) => Scheduler> = {
  DDIMScheduler: ddim,
  PNDMScheduler: pndm,
  EulerDiscreteScheduler: euler,
  EulerAncestralDiscreteScheduler: eulerAncestral,
  DPMSolverMultistepScheduler: dpmpp2m,
  LCMScheduler: lcm,
};

export interface CreateSchedulerOptions {
  /** Another scheduler than the config's own: what the config states stays, what it does not gets that class's default. */
  readonly name?: SchedulerName;
  /** `_class_name` of model_index.json. Some of diffusers' pipelines correct outdated scheduler configs. */
  readonly pipelineClass?: string;
}

type Json = Readonly<Record<string, unknown>>;

/** The scheduler of a parsed scheduler_config.json. Throws ConfigError for what is not supported, naming it. */
export function createScheduler(json: unknown, { name, pipelineClass }: CreateSchedulerOptions = {}): Scheduler {
  if (!isObject(json)) throw new ConfigError("scheduler: the config is no JSON object");
  const own = json._class_name;
  const className = name ? CLASS_OF[name] : own;
  if (!isSchedulerClass(className)) throw unsupportedScheduler(name ?? own);
  const stated = corrected(json, pipelineClass, className !== own);
  const config = readConfig(className, stated);
  return CREATE[className](name === "dpmpp-2m-karras" ? { ...config, useKarrasSigmas: true } : config);
}

/** The name of a config's own scheduler; null where it is none of ours, so that another has to be chosen. */
export function schedulerNameOf(json: unknown): SchedulerName | null {
  const config = isObject(json) ? json : {};
  const found = SCHEDULER_NAMES.find((name) => CLASS_OF[name] === config._class_name);
  return found === "dpmpp-2m" && config.use_karras_sigmas === true ? "dpmpp-2m-karras" : (found ?? null);
}

const CORRECTING_PIPELINES = ["StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionInpaintPipeline"];

/**
 * What diffusers' Stable Diffusion pipelines make of configs from before these keys were right: steps_offset 1, clip_sample
 * false. Whoever then switches class carries over only what the file states; the new class fills in its own defaults.
 */
function corrected(json: Json, pipelineClass: string | undefined, switched: boolean): Json {
  if (!pipelineClass || !CORRECTING_PIPELINES.includes(pipelineClass)) return json;
  const wanted: Json = {
    steps_offset: 1,
    clip_sample: false,
    ...(pipelineClass === "StableDiffusionInpaintPipeline" ? { skip_prk_steps: true } : {}),
  };
  const applies = ([key]: [string, unknown]) => !switched || Object.hasOwn(json, key);
  return { ...json, ...Object.fromEntries(Object.entries(wanted).filter(applies)) };
}

/** The error for a scheduler that is none of ours, with those that are. */
export function unsupportedScheduler(what: unknown): ConfigError {
  const named = JSON.stringify(what) ?? "a config without _class_name";
  return new ConfigError(`scheduler: ${named} is not supported; choose one of ${SCHEDULER_NAMES.join(", ")}`);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
