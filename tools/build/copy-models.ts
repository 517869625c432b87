// Vite plugin: copies models/ beside the page without the recipes that trained them.
import { cpSync, existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { Plugin, ResolvedConfig } from "vite";

/** What a person who only runs a model does not need. */
const recipe = /^(__pycache__|\..*|.*\.(py|pyc|pt|log))$/;

export function copyModels(): Plugin {
  let config: ResolvedConfig;
  return {
    name: "kiln:copy-models",
    apply: "build",
    configResolved(resolved) {
      config = resolved;
    },
    closeBundle() {
      const from = join(config.root, "models");
      if (!existsSync(from)) return;
      cpSync(from, join(config.root, config.build.outDir, "models"), {
        recursive: true,
        filter: (path) => path === from || !recipe.test(basename(path)),
      });
    },
  };
}
