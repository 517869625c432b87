// Installs what is missing, says what it did, and is quick when nothing is.
//   node tools/setup.mjs             everything that `npm test` needs
//   node tools/setup.mjs --modules   only node_modules (all that `npm start` needs)
//   node tools/setup.mjs --gpu       only the software Vulkan driver for Node's WebGPU
//   node tools/setup.mjs --browsers  only Chromium, Firefox and fonts for the browser tests
// System packages are installed by apt, on Debian and as root; elsewhere it says what to install.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromiumPath, firefoxPath, hasHardwareGpu } from "./environment.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** @param {string} text */
const say = (text) => console.error(`setup: ${text}`);

/** Earlier lavapipes lack what Dawn asks of a Vulkan driver. */
const minimumMesa = 25;
const gpuPackages = ["mesa-vulkan-drivers", "libvulkan1"];
const fontPackages = ["fonts-dejavu-core", "fonts-noto-color-emoji"];
const backportsFile = "/etc/apt/sources.list.d/kiln-backports.sources";

// ── node_modules ────────────────────────────────────────────────────────────────────────────────

/** Brings node_modules to what package-lock.json says; a stamp of the lock's hash makes the next call free. */
export function setupModules() {
  const stamp = join(root, "node_modules/.kiln-lock-hash");
  const hash = createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  const command = existsSync(join(root, "node_modules")) ? "install" : "ci"; // ci would empty a folder in use
  say(`npm ${command} (node_modules is missing or older than package-lock.json)`);
  const args = [command, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env.npm_execpath; // the npm that runs this script, where one does
  const { status } = npm?.endsWith(".js")
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: ["ignore", 2, 2] })
    : spawnSync("npm", args, { cwd: root, stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  if (status !== 0) throw new Error(`npm ${command} failed: is the npm registry reachable?`);
  const installed = createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).digest("hex");
  writeFileSync(stamp, installed);
}

// ── system packages ─────────────────────────────────────────────────────────────────────────────

/** Mesa's lavapipe, a Vulkan driver on the CPU. Returns what is still missing, in words, or undefined. */
export async function setupGpu() {
  if (process.platform !== "linux") return; // Dawn talks to Metal and Direct3D there
  if (mesaMajor() >= minimumMesa || (hasHardwareGpu() && hasVulkanDriver())) return;
  const advice = `Mesa's lavapipe (Vulkan on the CPU), version ${minimumMesa} or newer`;
  if (!canApt()) return hasVulkanDriver() ? undefined : advice;
  await aptUpdate({ backports: codename() === "bookworm" });
  const release = codename() === "bookworm" ? ["-t", "bookworm-backports"] : [];
  await apt(["install", "-y", "--no-install-recommends", ...release, ...gpuPackages]);
  const version = mesaMajor();
  if (version < minimumMesa) return `${advice}; apt's is ${version}`;
  say(`installed Mesa's lavapipe ${version}`);
}

/** Chromium, Firefox and fonts. Returns what is still missing, in words, or undefined. */
export async function setupBrowsers() {
  const browsers = [...(chromiumPath() ? [] : ["chromium"]), ...(firefoxPath() ? [] : ["firefox-esr"])];
  if (!canApt()) return browsers.length > 0 ? browsers.join(" and ") : undefined;
  const fonts = installedVersions(fontPackages);
  const names = [...browsers, ...fontPackages.filter((name) => !fonts.has(name))];
  if (names.length === 0) return;
  await aptUpdate({ backports: false });
  await apt(["install", "-y", "--no-install-recommends", ...names]);
  say(`installed ${names.join(", ")}`);
}

const osRelease = () => (existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "");
const codename = () => /^VERSION_CODENAME=(.*)$/m.exec(osRelease())?.[1];
const canApt = () => /^ID=debian$/m.test(osRelease()) && process.getuid?.() === 0;

function hasVulkanDriver() {
  const folders = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
  return Boolean(process.env.VK_DRIVER_FILES) || folders.some((at) => existsSync(at) && readdirSync(at).length > 0);
}

/** Major version of the installed mesa-vulkan-drivers; 0 without one. */
function mesaMajor() {
  return parseInt(installedVersions(gpuPackages).get("mesa-vulkan-drivers") ?? "0", 10);
}

/** Installed ones among the named Debian packages, with their versions. @param {string[]} names */
function installedVersions(names) {
  const format = "${Package}\t${Version}\t${db:Status-Status}\n";
  const { stdout } = spawnSync("dpkg-query", ["-W", `-f=${format}`, ...names], { encoding: "utf8" });
  const rows = (stdout ?? "").split("\n").map((line) => line.split("\t"));
  return new Map(rows.flatMap(([name, version, status]) => (status === "installed" ? [[name, version]] : [])));
}

let updated = false;

/** @param {{ backports: boolean }} options */
async function aptUpdate({ backports }) {
  if (backports && !availableSuites().includes("bookworm-backports")) {
    writeFileSync(backportsFile, backportsSource(readSources()));
    say(`added the suite bookworm-backports from your own mirror (${backportsFile})`);
    updated = false;
  }
  if (updated) return;
  await apt(["update"]);
  updated = true;
}

/** Runs apt-get without questions; another apt at work is waited for, up to ten minutes. @param {string[]} args */
async function apt(args) {
  const options = ["-q", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Use-Pty=0"];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  say(`apt-get ${args.join(" ")}`);
  for (let waited = 0; ; waited += 5) {
    const { status, stdout, stderr } = spawnSync("apt-get", [...options, ...args], { env, encoding: "utf8" });
    if (status === 0) return;
    const busy = /could not get lock|unable to lock|is held by process/i.test(stderr);
    if (!busy || waited >= 600) throw new Error(`apt-get ${args[0]} failed:\n${stdout.slice(-1000)}\n${stderr.slice(-2000)}`);
    await sleep(5000);
  }
}

// ── apt sources ─────────────────────────────────────────────────────────────────────────────────

/**
 * @typedef {{ types: string[], uris: string[], suites: string[], signedBy: string | undefined }} AptSource signedBy is a
 *   path or a whole key
 */

/** Every apt source of this machine. @returns {AptSource[]} */
function readSources() {
  const folder = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list", ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [])];
  return files.filter((file) => existsSync(file)).flatMap((file) => {
    if (file.endsWith(".sources")) return parseDeb822(readFileSync(file, "utf8"));
    return file.endsWith(".list") ? parseOneLine(readFileSync(file, "utf8")) : [];
  });
}

/** deb822: stanzas of `Field: value`, continued on lines that start with a blank. @param {string} text @returns {AptSource[]} */
export function parseDeb822(text) {
  const stanzas = text.replace(/^#.*\n?/gm, "").split(/\n\s*\n/);
  return stanzas.flatMap((stanza) => {
    /** @type {Map<string, string>} */
    const fields = new Map();
    for (const [, name, value] of stanza.matchAll(/^([\w-]+):[ \t]*(.*(?:\n[ \t]+.*)*)/gm)) fields.set(name.toLowerCase(), value.trim());
    if (!fields.has("uris") || /^no$/i.test(fields.get("enabled") ?? "yes")) return [];
    /** @param {string} name */
    const words = (name) => (fields.get(name) ?? "").split(/\s+/).filter(Boolean);
    return [{ types: words("types"), uris: words("uris"), suites: words("suites"), signedBy: fields.get("signed-by") }];
  });
}

/** The older format: `deb [signed-by=… arch=…] uri suite component…`. @param {string} text @returns {AptSource[]} */
export function parseOneLine(text) {
  return [...text.matchAll(/^\s*(deb(?:-src)?)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)/gm)].map(([, type, options, uri, suite]) => ({
    types: [type],
    uris: [uri],
    suites: [suite],
    signedBy: /signed-by=(\S+)/.exec(options ?? "")?.[1],
  }));
}

const availableSuites = () => readSources().filter((source) => source.types.includes("deb")).flatMap((source) => source.suites);

/** A deb822 source for bookworm-backports on the mirror that bookworm itself comes from. @param {AptSource[]} sources */
export function backportsSource(sources) {
  const main = sources.find((source) => source.types.includes("deb") && source.suites.includes("bookworm"));
  if (!main) throw new Error("no apt source for the suite bookworm, so no mirror to take bookworm-backports from");
  const signedBy = main.signedBy ? `Signed-By: ${main.signedBy}\n` : "";
  return `Types: deb\nURIs: ${main.uris.join(" ")}\nSuites: bookworm-backports\nComponents: main\n${signedBy}`;
}

// ── command ─────────────────────────────────────────────────────────────────────────────────────

/** Installs all that the tests need. Returns what is missing still, in words; throws where an installer fails. */
export async function setupAll() {
  setupModules();
  return [await setupGpu(), await setupBrowsers()].filter((missing) => missing !== undefined);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  /** @type {Record<string, () => void | Promise<string | undefined>>} */
  const steps = { "--modules": setupModules, "--gpu": setupGpu, "--browsers": setupBrowsers };
  const flags = process.argv.slice(2);
  const unknown = flags.find((flag) => !(flag in steps));
  if (unknown) {
    console.error(`setup: unknown flag ${unknown}; there are ${Object.keys(steps).join(", ")}`);
    process.exit(2);
  }
  let complete = true;
  for (const flag of flags.length > 0 ? flags : Object.keys(steps)) {
    const missing = await steps[flag]();
    if (missing) say(`please install ${missing}`);
    complete &&= !missing;
  }
  say(complete ? "all there" : "not complete");
  process.exit(complete ? 0 : 1);
}
