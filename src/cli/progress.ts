// One line on stderr that is written over, or, where stderr is no terminal, a line now and then.
import type { Progress, TextToImageStep } from "../pipelines/types.ts";

const terminal = process.stderr.isTTY;
let lastPlain = "";

function show(line: string, key: string): void {
  if (terminal) process.stderr.write(`\r\x1b[2K${line}`);
  else if (key !== lastPlain) process.stderr.write(`${line}\n`);
  lastPlain = key;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Loading: what, how much of it, how fast. */
export function showLoading({ status, name, loaded, total, bytesPerSecond }: Progress): void {
  if (status === "ready") return show("ready", status);
  if (status === "compile") return show(`compiling kernels ${loaded} of ${total}`, status);
  const speed = bytesPerSecond ? `, ${megabytes(bytesPerSecond)}/s` : "";
  show(`${status} ${name}: ${megabytes(loaded)}${total === null ? "" : ` of ${megabytes(total)}`}${speed}`, status + name);
}

/** Denoising: which step, how long it still takes. */
export function showStep({ step, total, secondsLeft }: TextToImageStep): void {
  show(`step ${step} of ${total}, ${secondsLeft.toFixed(1)} s left`, `step ${step}`);
}

/** Ends the line. */
export function endProgress(): void {
  if (terminal) process.stderr.write("\r\x1b[2K");
}
