// Runs TypeScript of this project in Node: Vite transforms modules on the way in, `/shaders/*.wgsl?raw` included.
//   node tools/typescript.mjs tests/bench/matmul.ts [args…]
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { useGpuEnvironment } from "./environment.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * Imports a TypeScript module and all that it imports; npm packages are left to Node.
 * @param {string} path absolute, or relative to the project
 * @returns {Promise<{ module: any, close(): Promise<void> }>} close() ends the transforming server
 */
export async function importTypeScript(path) {
  const { createServer, isRunnableDevEnvironment } = await import("vite");
  const server = await createServer({
    root,
    configFile: false,
    appType: "custom",
    logLevel: "warn",
    oxc: { target: "es2022" }, // Node 20 has no `using`
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
  });
  const { ssr } = server.environments;
  if (!ssr || !isRunnableDevEnvironment(ssr)) throw new Error("vite: no environment that runs modules in Node");
  const module = await ssr.runner.import(resolve(root, path));
  return { module, close: () => server.close() };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [script] = process.argv.splice(2, 1);
  if (!script) {
    console.error("usage: node tools/typescript.mjs <script.ts> [args…]");
    process.exit(2);
  }
  useGpuEnvironment();
  const { close } = await importTypeScript(script);
  await close();
  process.exit(); // Dawn's threads would keep the process
}
