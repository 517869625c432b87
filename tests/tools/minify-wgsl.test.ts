// Shaders mean the same after minifying: the same tokens (WGSL, section 3), for every file.
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { minified } from "../../tools/build/minify-wgsl.ts";

const folder = new URL("../../shaders/", import.meta.url);
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".wgsl"));

const TOKEN = /[A-Za-z_]\w*|0x[\da-fA-F]+[iu]?|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[iufh]?|->|&&|\|\||[=!<>]=|<<|>>|\+\+|--|[-+*/%&|^]=|\S/g;

/** Comments and spaces are no tokens. */
function tokens(source: string): readonly string[] {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, " ").match(TOKEN) ?? [];
}

it.each(files)("%s keeps its tokens", (file) => {
  const source = readFileSync(new URL(file, folder), "utf8");
  const short = minified(source);
  expect(tokens(short)).toEqual(tokens(source));
  expect(short.length).toBeLessThan(source.length);
});

it("keeps signs apart that would be another one together", () => {
  const source = "let a = b - -c; // minus\nlet d = e -\n  -f; let g = h & &i;";
  expect(tokens(minified(source))).toEqual(tokens(source));
});
