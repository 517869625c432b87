// npm start [-- --no-open] [-- --port N]: installs what is missing, builds the studio if it is old, serves and opens it.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildIfStale } from "./build.mjs";
import { setupModules } from "./setup.mjs";
import { serve } from "./static-server.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const usualPort = 5180;
const options = readOptions();

setupModules();
await buildIfStale("site", { quiet: true });
const server = await listen();
console.log(`Kiln is at ${server.url} (Ctrl+C ends it)`);
if (!options["no-open"]) open(server.url);

function readOptions() {
  try {
    return parseArgs({ options: { "no-open": { type: "boolean" }, port: { type: "string" } } }).values;
  } catch (error) {
    console.error(`start: ${error instanceof Error ? error.message : error}`);
    process.exit(2);
  }
}

/** On the wished port; else on the usual one, so that the browser finds what it kept there; else on a free one. */
async function listen() {
  const folder = join(root, "dist/site");
  if (options.port) return serve({ folder, port: Number(options.port) });
  return serve({ folder, port: usualPort }).catch(() => serve({ folder }));
}

/** Opens the system's browser; where there is none, the address is on the screen. @param {string} url */
function open(url) {
  const opener = /** @type {Record<string, string[]>} */ ({ darwin: ["open"], win32: ["cmd", "/c", "start", ""] })[process.platform] ?? ["xdg-open"];
  const [program, ...args] = [...opener, url];
  const child = spawn(program, args, { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}
