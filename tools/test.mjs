// npm test [-- filter]: types; floors, unit and golden tests in Node; checks in Chromium and Firefox. Installs what it needs.
// A filter runs the test files and browser checks whose name contains it. The last line sums everything up.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildIfStale } from "./build.mjs";
import { setupAll } from "./setup.mjs";
import { outcomesFile } from "./vitest-reporter.mjs";

/** @typedef {import("./vitest-reporter.mjs").Outcome} Outcome */

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const results = join(root, ".cache/test");
const filter = process.argv[2];

/** @type {Outcome[]} */
const outcomes = [];
const stages = { setup, ...(filter ? {} : { types }), "in Node": node, "in browsers": browsers };
for (const [name, stage] of Object.entries(stages)) {
  const start = performance.now();
  console.log(`\n── ${name} ──`);
  try {
    outcomes.push(...(await stage()));
  } catch (error) {
    outcomes.push({ name, status: "failed", message: error instanceof Error ? error.message : String(error) });
  }
  console.log(`── ${name}: ${((performance.now() - start) / 1000).toFixed(1)} s ──`);
}
report();

/** What could not be installed, as failures. @returns {Promise<Outcome[]>} */
async function setup() {
  const missing = await setupAll();
  return missing.map((words) => ({ name: "setup", status: /** @type {const} */ ("failed"), message: `please install ${words}` }));
}

/** @returns {Outcome[]} */
function types() {
  const projects = [".", "src/service-worker"];
  const passed = projects.every((project) => run("node_modules/typescript/bin/tsc", "--noEmit", "-p", project) === 0);
  return [{ name: "types", status: passed ? "passed" : "failed", message: passed ? undefined : "tsc --noEmit reports errors" }];
}

/** @returns {Outcome[]} */
function node() {
  rmSync(outcomesFile, { force: true });
  const reporters = ["--reporter=default", "--reporter=./tools/vitest-reporter.mjs"];
  const status = run("node_modules/vitest/vitest.mjs", "run", "--passWithNoTests", ...reporters, ...(filter ? [filter] : []));
  return read(outcomesFile, status, "vitest");
}

/** @returns {Promise<Outcome[]>} */
async function browsers() {
  for (const name of ["site", "element", "test-pages"]) await buildIfStale(name, { quiet: true });
  const file = join(results, "browsers.json");
  rmSync(file, { force: true });
  const status = run("tools/typescript.mjs", "tests/e2e/run.ts", "--json", file, ...(filter ? [filter] : []));
  return read(file, status, "browser checks");
}

/** Runs a script of this project in Node. Returns its exit status. @param {string} script @param {...string} args */
function run(script, ...args) {
  mkdirSync(results, { recursive: true });
  return spawnSync(process.execPath, [join(root, script), ...args], { cwd: root, stdio: ["ignore", "inherit", "inherit"] }).status;
}

/** Outcomes that a runner left; its own failure counts where no test's does. @param {string} file @param {number | null} status @param {string} name */
function read(file, status, name) {
  /** @type {Outcome[]} */
  const found = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
  const silent = status !== 0 && !found.some((outcome) => outcome.status === "failed");
  return silent ? [...found, { name, status: /** @type {const} */ ("failed"), message: `ended with status ${status}` }] : found;
}

/** Names what failed and what was skipped, and ends the process. A skip without a reason is a failure. */
function report() {
  const judged = outcomes.map((outcome) =>
    outcome.status === "skipped" && !outcome.message
      ? { ...outcome, status: "failed", message: "skipped without a reason: say it with context.skip(reason)" }
      : outcome,
  );
  /** @param {string} status */
  const having = (status) => judged.filter((outcome) => outcome.status === status);
  console.log();
  for (const { name, message } of having("skipped")) console.log(`skipped: ${name}: ${message}`);
  for (const { name, message } of having("failed")) console.log(`failed: ${name}: ${message?.split("\n")[0]}`);
  const [passed, failed, skipped] = ["passed", "failed", "skipped"].map((status) => having(status).length);
  if (passed + failed === 0) console.log(filter ? `no test is named ${filter}` : "no test ran");
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}
