// Vite plugin: writes service-worker.js beside the page, with the list of the page's files.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { build, type Plugin, type ResolvedConfig } from "vite";
import { walk } from "../files.mjs";

/**
 * @param except folders of the output that are not part of the page
 * @param first names of the scripts that the first page starts from; what they import goes with them, what they may import later does not
 */
export function serviceWorker({ except, first }: { except: readonly string[]; first: readonly string[] }): Plugin {
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
        pageFiles: files.map(addressOf),
        firstFiles: firstOf(folder, files, first).map(addressOf),
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

function addressOf(file: string): string {
  return file === "index.html" ? "./" : file;
}

/** The files without scripts that only a later page needs. */
function firstOf(folder: string, files: readonly string[], first: readonly string[]): string[] {
  const scripts = files.filter((file) => file.endsWith(".js"));
  const wanted = new Set<string>();
  const want = (file: string): void => {
    if (wanted.has(file) || !scripts.includes(file)) return;
    wanted.add(file);
    for (const [, path] of readFileSync(join(folder, file), "utf8").matchAll(/(?:\bfrom|\bimport)\s*["']\.\/([^"']+)["']/g)) want(join(dirname(file), path));
  };
  for (const name of first) scripts.filter((file) => basename(file).startsWith(`${name}-`)).forEach(want);
  return files.filter((file) => !scripts.includes(file) || wanted.has(file));
}
