// Vite plugin: writes service-worker.js beside the page, with the list of the page's files.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin, type ResolvedConfig } from "vite";
import { walk } from "../files.mjs";

/** @param except folders of the output that are not part of the page */
export function serviceWorker({ except }: { except: readonly string[] }): Plugin {
  let config: ResolvedConfig;
  return {
    name: "kiln:service-worker",
    apply: "build",
    configResolved(resolved) {
      config = resolved;
    },
    async closeBundle() {
      const folder = join(config.root, config.build.outDir);
      const files = walk(folder)
        .filter((file) => !except.some((name) => file.startsWith(`${name}/`)) && !/\.(map|txt)$/.test(file))
        .sort();
      const hash = createHash("sha256");
      for (const file of files) hash.update(file).update(readFileSync(join(folder, file)));
      const code = await bundle({
        pageFiles: files.map((file) => (file === "index.html" ? "./" : file)),
        pageVersion: hash.digest("hex").slice(0, 16),
      });
      writeFileSync(join(folder, "service-worker.js"), code);
    },
  };

  /** The worker as one classic script, which every browser takes, with its constants filled in. */
  async function bundle(constants: Record<string, unknown>): Promise<string> {
    const result = await build({
      root: config.root,
      configFile: false,
      publicDir: false,
      logLevel: "warn",
      define: Object.fromEntries(Object.entries(constants).map(([name, value]) => [name, JSON.stringify(value)])),
      build: {
        write: false,
        target: "es2022",
        lib: { entry: "src/service-worker/service-worker.ts", formats: ["iife"], name: "worker" },
      },
    });
    const output = (Array.isArray(result) ? result : [result]).flatMap((one) => ("output" in one ? one.output : []));
    const chunk = output.find((one) => one.type === "chunk");
    if (!chunk) throw new Error("the service worker's build made no script");
    return chunk.code;
  }
}
