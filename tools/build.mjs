// Builds what is older than its sources: node tools/build.mjs [site|library|element|cli|test-pages…] [--force]; all by default.
import { spawnSync } from "node:child_process";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isStale } from "./files.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const tool = ["vite.config.ts", "tools/build", "tools/build.mjs", "package-lock.json"];
const engine = ["src", "shaders", ...tool];

/** What each build is made from. @type {Record<string, string[]>} */
const sources = {
  site: ["index.html", "public", "models", ...engine],
  library: ["tsconfig.json", ...engine],
  element: engine,
  cli: engine,
  "test-pages": ["tests/e2e/pages", "tests/fake-pipeline.ts", ...engine],
};
export const buildNames = Object.keys(sources);

/**
 * Builds one of them unless it is up to date. Throws where the build fails.
 * @param {string} name @param {{ force?: boolean, quiet?: boolean }} [options] quiet: warnings and errors only
 */
export async function buildIfStale(name, { force = false, quiet = false } = {}) {
  const stamp = join(root, ".cache/build", name);
  const inputs = sources[name].map((path) => join(root, path));
  if (!force && !isStale(stamp, inputs)) return;
  const started = new Date();
  const { build } = await import("vite");
  await build({ root, configFile: join(root, "vite.config.ts"), mode: name, logLevel: quiet ? "warn" : "info" });
  if (name === "library") emitTypes();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, "");
  utimesSync(stamp, started, started); // what changes during the build is newer
}

/** The library's .d.ts files, one a module. */
function emitTypes() {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "tools/build/tsconfig.library.json")], { stdio: "inherit" });
  if (status !== 0) throw new Error("the library's types do not compile");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const names = args.filter((arg) => !arg.startsWith("--"));
  const wrong = args.find((arg) => arg !== "--force" && !buildNames.includes(arg));
  if (wrong) {
    console.error(`build: no "${wrong}"; there are ${buildNames.join(", ")}, and --force`);
    process.exit(2);
  }
  for (const name of names.length > 0 ? names : buildNames) await buildIfStale(name, { force: args.includes("--force") });
}
