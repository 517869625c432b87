// A Vite plugin: shaders travel without comments and indentation, which are a third of their gzipped bytes.
import { readFile } from "node:fs/promises";
import type { Plugin } from "vite";

export function minifyWgsl(): Plugin {
  return {
    name: "kiln:minify-wgsl",
    apply: "build",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(".wgsl?raw")) return null;
      const source = await readFile(id.slice(0, -"?raw".length), "utf8");
      return { code: `export default ${JSON.stringify(minified(source))};`, moduleSideEffects: false };
    },
  };
}

/** WGSL has no string literals, so every `//` starts a comment. Spaces stay where two signs could become another: - & and / lose them between operands only. */
export function minified(source: string): string {
  const lines = source.split("\n").map((line) => line.replace(/\/\/.*$/, "").trim().replace(/ *([=+*<>,;:{}()|!%^]+) */g, "$1").replace(/(?<=[\w)\]]) (-|\/|&&?) (?=[\w(])/g, "$1"));
  return lines.filter((line) => line !== "").join("\n").replace(/(?<=[;{},()=+*|])\n/g, "");
}
