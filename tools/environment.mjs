// Where this machine's GPU driver and browsers are: shared by tests, benches, the command line and the browser launchers.
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Environment for WebGPU in Node (Dawn) and in browsers. On Linux without a GPU of its own, Vulkan is pointed at Mesa's
 * lavapipe, and at a private folder for XDG_RUNTIME_DIR. What the user has set stays; elsewhere there is nothing to set.
 * @returns {Record<string, string>} only the variables that have to be added
 */
export function gpuEnvironment() {
  /** @type {Record<string, string>} */
  const added = {};
  if (process.platform !== "linux") return added;
  const chosen = process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES;
  if (!chosen && !hasHardwareGpu()) {
    const driver = lavapipePath();
    if (driver) added.VK_DRIVER_FILES = driver;
  }
  if (!process.env.XDG_RUNTIME_DIR) added.XDG_RUNTIME_DIR = runtimeFolder();
  return added;
}

/** Puts gpuEnvironment() into this process, before its first adapter; children inherit it. */
export function useGpuEnvironment() {
  Object.assign(process.env, gpuEnvironment());
}

/** The Vulkan manifest of Mesa's lavapipe, or undefined. */
export function lavapipePath() {
  const folder = "/usr/share/vulkan/icd.d";
  if (!existsSync(folder)) return undefined;
  const architecture = process.arch === "x64" ? "x86_64" : process.arch === "arm64" ? "aarch64" : process.arch;
  const found = readdirSync(folder).filter((name) => /^lvp_icd.*\.json$/.test(name));
  const name = found.find((file) => file.includes(architecture)) ?? found[0];
  return name && join(folder, name);
}

/** Debian's and other usual places of Chromium; CHROMIUM_PATH goes first. */
export const chromiumPath = () =>
  firstFile(process.env.CHROMIUM_PATH, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium");

/** Debian's and other usual places of Firefox; FIREFOX_PATH goes first. */
export const firefoxPath = () =>
  firstFile(process.env.FIREFOX_PATH, "/usr/bin/firefox-esr", "/usr/bin/firefox",
    "/Applications/Firefox.app/Contents/MacOS/firefox");

/** A render node that is not backed by software belongs to a real GPU; /dev/nvidia0 and /dev/dxg (WSL) do, too. */
export function hasHardwareGpu() {
  if (existsSync("/dev/nvidia0") || existsSync("/dev/dxg")) return true;
  return existsSync("/dev/dri") && readdirSync("/dev/dri").some((name) => name.startsWith("renderD"));
}

/** @type {string | undefined} */
let madeFolder;

function runtimeFolder() {
  if (madeFolder) return madeFolder;
  const folder = mkdtempSync(join(tmpdir(), "kiln-runtime-")); // mode 0700, as the XDG specification asks
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return (madeFolder = folder);
}

/** @param {(string | undefined)[]} paths */
function firstFile(...paths) {
  return paths.find((path) => path && existsSync(path));
}
