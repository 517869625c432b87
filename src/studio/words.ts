// Numbers and errors in words.
import { GpuError } from "../gpu/errors.ts";

/** "38.2 MB": powers of 1000, as browsers and shops count. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${value.toFixed(power === 0 || value >= 99.95 ? 0 : 1)}\u00a0${units[power]}`;
}

/** "4 s", "2 min 5 s", "1 h 3 min": rounded up, since it tells how long to wait. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "0.8 s", "12 s": how long something took. */
export function tookSeconds(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(1)} s` : formatSeconds(seconds);
}

/** "4 s left", or nothing where it is not known yet. */
export function timeLeft(seconds: number | null): string {
  return seconds === null || !Number.isFinite(seconds) ? "" : `${formatSeconds(seconds)} left`;
}

/** "1 picture", "3 pictures". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** An error as a page shows it. */
export interface Problem {
  /** A few words: what went wrong. */
  readonly title: string;
  readonly detail: string;
  /** What to do about it; "" where nobody knows better than to try again. */
  readonly wayOut: string;
}

const titles: Readonly<Record<string, string>> = {
  "no-webgpu": "No WebGPU here",
  unsupported: "This graphics device cannot do that",
  lost: "The graphics device was reset",
  "out-of-memory": "Graphics memory is full",
  internal: "The graphics device reported an error",
  HubError: "The model's files could not be had",
  FormatError: "A file of the model is damaged",
  CheckpointError: "This model does not fit",
  ConfigError: "This model is not supported",
  WorkerError: "The worker stopped",
  QuotaExceededError: "This browser's storage is full",
};

export function problemOf(error: unknown): Problem {
  if (!(error instanceof Error)) return { title: "That did not work", detail: String(error), wayOut: "" };
  const wayOut = "wayOut" in error && typeof error.wayOut === "string" ? error.wayOut : "";
  const detail = wayOut === "" ? error.message : error.message.replace(`. ${wayOut}.`, ".");
  const title = titles[error instanceof GpuError ? error.kind : error.name] ?? "That did not work";
  return { title, detail, wayOut: wayOut === "" ? "" : `${wayOut}.` };
}

/** Whether an error only says that somebody cancelled. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
