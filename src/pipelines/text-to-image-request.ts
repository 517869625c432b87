// A call of text to image with every default filled in and every value checked.
import type { GeneratorKind } from "../random/generator.ts";
import { type SchedulerName, unsupportedScheduler } from "../schedulers/scheduler.ts";
import type { ModelInfo, TextToImageOptions } from "./types.ts";

export interface Request {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly seed: bigint;
  readonly numInferenceSteps: number;
  readonly guidanceScale: number;
  /** Whether each step needs the unconditional pass as well. */
  readonly guided: boolean;
  readonly width: number;
  readonly height: number;
  readonly count: number;
  readonly scheduler: SchedulerName;
  readonly generator: GeneratorKind;
  readonly previewEvery: number;
  readonly returnTensor: boolean;
  readonly signal?: AbortSignal;
}

/** What the model allows. */
export interface RequestLimits {
  /** Width and height are multiples of this. */
  readonly pixelStep: number;
  /** Whether guidance is a second pass; consistency models are told the scale instead. */
  readonly guidable: boolean;
  /** The class that the checkpoint names as its scheduler. */
  readonly schedulerClass: unknown;
}

/** Throws TypeError for what is no prompt, RangeError naming an option that does not fit, ConfigError where a scheduler has to be chosen. */
export function readRequest(prompt: string, options: TextToImageOptions, defaults: ModelInfo["defaults"], { pixelStep, guidable, schedulerClass }: RequestLimits): Request {
  const scheduler = options.scheduler ?? defaults.scheduler;
  if (scheduler === null) throw unsupportedScheduler(schedulerClass);
  const guidanceScale = finite("guidanceScale", options.guidanceScale ?? defaults.guidanceScale);
  return {
    prompt: text("prompt", prompt),
    negativePrompt: text("negativePrompt", options.negativePrompt ?? ""),
    seed: seedOf(options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]),
    numInferenceSteps: multiple("numInferenceSteps", options.numInferenceSteps ?? defaults.numInferenceSteps, 1),
    guidanceScale,
    guided: guidable && guidanceScale > 1,
    width: multiple("width", options.width ?? defaults.width, pixelStep),
    height: multiple("height", options.height ?? defaults.height, pixelStep),
    count: multiple("numImagesPerPrompt", options.numImagesPerPrompt ?? 1, 1),
    scheduler,
    generator: options.generator ?? "torch-cpu",
    previewEvery: options.previewEvery ?? 0,
    returnTensor: options.returnTensor ?? false,
    signal: options.signal,
  };
}

function text(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new TypeError(`${name}: a text expected, got ${value === null ? "null" : typeof value}`);
}

function seedOf(seed: number | bigint): bigint {
  const whole = typeof seed === "bigint" || Number.isSafeInteger(seed);
  if (whole && seed >= 0 && BigInt(seed) < 2n ** 64n) return BigInt(seed);
  throw new RangeError(`seed: a whole number from 0 to 2^64 - 1 expected (a bigint above 2^53), got ${String(seed)}`);
}

function finite(name: string, value: number): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new RangeError(`${name}: a number expected, got ${String(value)}`);
}

function multiple(name: string, value: number, of: number): number {
  if (Number.isInteger(value) && value > 0 && value % of === 0) return value;
  throw new RangeError(`${name}: a positive ${of === 1 ? "whole number" : `multiple of ${of}`} expected, got ${String(value)}`);
}
