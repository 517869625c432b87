// npm run kiln -- <task> …: the headless command, built again when its sources are newer.
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { buildIfStale } from "./build.mjs";
import { useGpuEnvironment } from "./environment.mjs";
import { setupGpu, setupModules } from "./setup.mjs";

setupModules();
const missing = await setupGpu();
if (missing) console.error(`kiln: no Vulkan driver was found; without a GPU, install ${missing}`);
useGpuEnvironment();
await buildIfStale("cli", { quiet: true });
await import(pathToFileURL(join(dirname(fileURLToPath(import.meta.url)), "../dist/cli/main.js")).href);
