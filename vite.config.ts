// A build for each mode: the site (the default), the library, the embeddable element, the headless command, the tests' pages.
import { fileURLToPath } from "node:url";
import { defineConfig, type UserConfig } from "vite";
import { copyModels } from "./tools/build/copy-models.ts";
import { minifyWgsl } from "./tools/build/minify-wgsl.ts";
import { serviceWorker } from "./tools/build/service-worker.ts";
import { findableWorkers, inlineWorkers } from "./tools/build/workers.ts";
import manifest from "./package.json" with { type: "json" };

/** `using` is lowered, for browsers and Nodes that lack it. */
const target = "es2022";

/** Tasks, each a subpath of the library: `import { textToImage } from "kiln/text-to-image"`. */
const tasks = ["text-to-image", "text-generation"];

const builds: Record<string, UserConfig> = {
  site: {
    base: "./", // works under any path
    plugins: [copyModels(), serviceWorker({ except: ["models", "icons"], first: ["index", "worker", "look", "text-to-image", "json-tokenizer"] })],
    build: {
      outDir: "dist/site",
      modulePreload: { polyfill: false }, // every browser with WebGPU preloads modules
    },
  },
  library: {
    base: "./",
    publicDir: false,
    plugins: [findableWorkers()],
    build: {
      outDir: "dist/lib",
      sourcemap: true,
      minify: false, // left to the site that uses it
      lib: {
        entry: { index: "src/index.ts", ...Object.fromEntries(tasks.map((task) => [task, `src/pipelines/${task}.ts`])) },
        formats: ["es"],
      },
      rolldownOptions: { external: Object.keys(manifest.dependencies).map((name) => new RegExp(`^${name}(/|$)`)) },
    },
  },
  element: {
    publicDir: false,
    plugins: [inlineWorkers()],
    worker: { format: "es", rolldownOptions: { output: { codeSplitting: false } } },
    build: {
      outDir: "dist/element",
      lib: { entry: "src/studio/element.ts", formats: ["es"], fileName: () => "kiln-studio.js" },
      rolldownOptions: { output: { codeSplitting: false } },
    },
  },
  cli: {
    publicDir: false,
    ssr: { noExternal: true, external: ["webgpu"] },
    build: {
      outDir: "dist/cli",
      ssr: "src/cli/main.ts",
      minify: false,
      rolldownOptions: { output: { entryFileNames: "main.js", codeSplitting: false } },
    },
  },
  "test-pages": {
    publicDir: false,
    build: {
      outDir: "dist/test-pages",
      rolldownOptions: { input: ["webgpu", "engine", "hub", "studio"].map((name) => `tests/e2e/pages/${name}.html`) },
    },
  },
};

export default defineConfig(({ mode, command }) => {
  const build = builds[command === "serve" || mode === "production" ? "site" : mode];
  if (!build) throw new Error(`no build is named "${mode}"; there are ${Object.keys(builds).join(", ")}`);
  return {
    root: fileURLToPath(new URL(".", import.meta.url)),
    appType: "mpa", // a missing file is a 404, not the page
    oxc: { target },
    server: { watch: { ignored: ["**/models/**", "**/dist/**", "**/.cache/**"] } },
    ...build,
    plugins: [minifyWgsl(), ...(build.plugins ?? [])],
    worker: { format: "es", plugins: () => [minifyWgsl()], ...build.worker },
    build: { target, cssTarget: target, emptyOutDir: true, reportCompressedSize: true, ...build.build },
  };
});
