// Runs the browser checks: node tools/typescript.mjs tests/e2e/run.ts [--only chromium|firefox] [--json FILE] [filter]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Page } from "puppeteer-core";
import { serve } from "../../tools/static-server.mjs";
import { engines, launchBrowser, type Engine, type LaunchedBrowser } from "./browsers.ts";
import { checks, Skipped, type Check, type Site } from "./check.ts";
import "./checks/engine.ts";
import "./checks/hub.ts";
import "./checks/site.ts";
import "./checks/studio-page.ts";
import "./checks/studio.ts";

interface Result {
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  readonly ms: number;
  readonly message?: string;
}

const pictures = ".cache/e2e";

const { values, positionals } = parseArgs({
  options: { only: { type: "string" }, json: { type: "string" } },
  allowPositionals: true,
});
const filter = positionals[0]?.toLowerCase() ?? "";

const results: Result[] = [];
for (const engine of engines) {
  if (values.only && values.only !== engine) continue;
  const chosen = checks.filter((one) => (one.engines ?? engines).includes(engine) && label(engine, one).toLowerCase().includes(filter));
  if (chosen.length === 0) continue;
  const launched = await launchBrowser(engine);
  console.log(`${engine}: ${await launched.browser.version()}`);
  for (const one of chosen) {
    const result = await runCheck(one, launched);
    const mark = { passed: "✓", failed: "✗", skipped: "–" }[result.status];
    console.log(` ${mark} ${result.name} ${result.ms} ms${result.message ? `\n   ${result.message.replaceAll("\n", "\n   ")}` : ""}`);
    results.push(result);
  }
  await launched.close();
}
if (values.json) writeFileSync(values.json, JSON.stringify(results, undefined, 1));
if (results.some((result) => result.status === "failed")) process.exitCode = 1;

async function runCheck(one: Check, launched: LaunchedBrowser): Promise<Result> {
  const name = label(launched.engine, one);
  const site = await startSite();
  const page = await launched.browser.newPage();
  page.setDefaultTimeout(one.timeout ?? 120_000); // a busy machine is slow, not broken
  const pageErrors = watchErrors(page, one.allowedErrors);
  const strayBefore = new Set(launched.strayHosts);
  const start = performance.now();
  let failure: unknown;
  try {
    const running = one.run({
      engine: launched.engine,
      page,
      site,
      strayHosts: () => [...launched.strayHosts].filter((host) => !strayBefore.has(host)),
      screenshot: (picture) => screenshot(page, `${launched.engine}-${picture}`),
    });
    await withTimeout(running, one.timeout ?? 60_000);
    if (pageErrors.length > 0) throw new Error(`the page reported:\n${pageErrors.join("\n")}`);
  } catch (error) {
    failure = error;
  }
  const ms = Math.round(performance.now() - start);
  if (failure !== undefined && !(failure instanceof Skipped)) await withTimeout(screenshot(page, `${launched.engine}-failed-${one.name}`), 10_000).catch(() => {});
  await Promise.allSettled([withTimeout(page.close(), 10_000), site.stop()]);
  if (failure === undefined) return { name, status: "passed", ms };
  if (failure instanceof Skipped) return { name, status: "skipped", ms, message: failure.message };
  const reported = pageErrors.length > 0 ? `\npage: ${pageErrors.join("\npage: ")}` : "";
  return { name, status: "failed", ms, message: describe(failure) + reported };
}

/** Message, and the places in the checks. */
function describe(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure);
  const places = (failure.stack ?? "").split("\n").filter((line) => /^\s+at .*\/e2e\/checks\//.test(line));
  return [failure.message, ...places].join("\n");
}

function label(engine: Engine, { name }: Check): string {
  return `${engine} › ${name}`;
}

/** Collects uncaught exceptions and console errors of a page. */
function watchErrors(page: Page, allowed: RegExp | undefined): string[] {
  const errors: string[] = [];
  const add = (text: string) => {
    if (!allowed?.test(text)) errors.push(text);
  };
  page.on("pageerror", (error) => add(error instanceof Error ? error.message : String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") add(`${message.text()} ${message.location().url ?? ""}`.trim());
  });
  return errors;
}

async function startSite(): Promise<Site> {
  const requests: string[] = [];
  const server = await serve({
    folder: "dist/test-pages",
    mounts: { "/some/path/": "dist/site", "/element/": "dist/element" },
    onRequest: (path) => requests.push(path),
  });
  return {
    url: `${server.url}some/path/`,
    pages: `${server.url}tests/e2e/pages/`,
    element: `${server.url}element/kiln-studio.js`,
    requests,
    clear: () => requests.splice(0),
    stop: () => server.close(),
  };
}

async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name.replace(/[^\w-]+/g, "-")}.png`) as `${string}.png` });
}

/** Rejects after `ms`, without waiting for what is under way. */
async function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
