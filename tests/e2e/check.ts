// The list of browser checks. A file in checks/ adds to it, and run.ts imports that file.
import type { Page } from "puppeteer-core";
import type { Engine } from "./browsers.ts";

export interface Context {
  readonly engine: Engine;
  /** A new tab. Its errors end the check; `allowedErrors` of the check are let through. */
  readonly page: Page;
  /** Serves on an origin of its own, so nothing is stored there yet. */
  readonly site: Site;
  /** Hosts beyond this machine that the page has asked for since the check began. */
  strayHosts(): string[];
  /** Writes a picture of the tab to .cache/e2e/<engine>-<name>.png. */
  screenshot(name: string): Promise<void>;
}

export interface Site {
  /** The built site, under a path of some depth, as it must run anywhere. Ends in a slash. */
  readonly url: string;
  /** The tests' own pages. Ends in a slash. */
  readonly pages: string;
  /** The built embeddable element. */
  readonly element: string;
  /** Paths asked for since the start or the last clear. */
  readonly requests: string[];
  clear(): void;
  /** Stops the server; the browser's next visit is offline. */
  stop(): Promise<void>;
}

export interface CheckOptions {
  /** Milliseconds; 60,000 unless given. */
  readonly timeout?: number;
  /** Both unless given. */
  readonly engines?: readonly Engine[];
  /** Console errors and failed loads that belong to the check. */
  readonly allowedErrors?: RegExp;
}

export interface Check extends CheckOptions {
  readonly name: string;
  readonly run: (context: Context) => Promise<void>;
}

export const checks: Check[] = [];

/** Adds a check: it passes when `run` returns, and fails when it throws or the page reports an error. */
export function check(name: string, run: Check["run"], options: CheckOptions = {}): void {
  if (checks.some((other) => other.name === name)) throw new Error(`two checks are named "${name}"`);
  checks.push({ ...options, name, run });
}

/** Thrown by skip(). */
export class Skipped extends Error {
  override name = "Skipped";
}

/** Ends a check as skipped; the reason is printed. */
export function skip(reason: string): never {
  throw new Skipped(reason);
}
