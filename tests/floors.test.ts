// The house's order: an import in src/ goes down or stays on its floor, and each shader has one kernel.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";
import { expect, test } from "vitest";

/** Floor of each room of src/; a file directly in src/ is a room by itself. */
const floors: Record<string, number> = {
  gpu: 1,
  formats: 1,
  hub: 1,
  random: 1,
  "version.ts": 1,
  tensor: 2,
  kernels: 3,
  nn: 4,
  architectures: 5,
  schedulers: 5,
  sampling: 5,
  pipelines: 6,
  provenance: 6,
  worker: 7,
  studio: 8,
  cli: 8,
  "service-worker": 8,
  "index.ts": 8,
};

/** Ambient declarations: they belong to no floor. */
const ambient = /\.d\.ts$/;

const sources = list("src").filter((file) => file.endsWith(".ts") && !ambient.test(file));
const shaders = list("shaders").filter((file) => file.endsWith(".wgsl"));
const imports = sources.flatMap((from) => importsOf(from).map((to) => ({ from, to })));

test("every file of src/ is in a room with a floor", () => {
  expect(sources.filter((file) => floors[room(file)] === undefined)).toEqual([]);
});

test("an import goes down or stays on its floor", () => {
  const rising = imports.filter(({ from, to }) => to.startsWith("src/") && !(floors[room(to)] <= floors[room(from)]));
  expect(rising.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

test("src/ imports nothing of this project but src/, shaders/, models/ and package.json", () => {
  const strangers = imports.filter(({ to }) => !/^(src|shaders|models)\/|^package\.json$/.test(to));
  expect(strangers.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

test("each shader belongs to exactly one kernel, and each include to some", () => {
  const users = (shader: string) => imports.filter(({ to }) => to === shader).map(({ from }) => from);
  const wrong = shaders.filter((shader) =>
    shader.startsWith("shaders/include/") ? users(shader).length === 0 : users(shader).length !== 1,
  );
  expect(wrong.map((shader) => `${shader} is used by ${users(shader).join(" and ") || "nothing"}`)).toEqual([]);
  const outside = imports.filter(({ from, to }) => to.startsWith("shaders/") && room(from) !== "kernels");
  expect(outside.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

test("the first line of a file says what it is", () => {
  const silent = [...sources, ...shaders].filter((file) => !/^(\/\/|\/\*\*?) \S/.test(readFileSync(file, "utf8")));
  expect(silent).toEqual([]);
});

test("the order is checked: this file sees imports of every kind", () => {
  const text = `import a from "../gpu/a.ts";\nimport type { B } from "./b.ts";\nexport * from "./c.ts";
    import "./d.ts"; const e = await import("./e.ts"); new Worker(new URL("./f.ts", import.meta.url));
    import {\n  g,\n} from "/shaders/g.wgsl?raw"; import lit from "lit"; // import "./comment.ts"`;
  const found = ["src/gpu/a.ts", "src/nn/b.ts", "src/nn/c.ts", "src/nn/d.ts", "src/nn/e.ts", "src/nn/f.ts", "shaders/g.wgsl"];
  expect(importsIn("src/nn/x.ts", text).sort()).toEqual(found.sort());
});

function importsOf(file: string): string[] {
  return importsIn(file, readFileSync(file, "utf8"));
}

/** Files of this project that a module's text names: static, dynamic and type imports, and `new URL(…, import.meta.url)`. */
function importsIn(file: string, text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
  const forms = [/\b(?:from|import)\s*\(?\s*"([./][^"]*)"/g, /\bnew URL\(\s*"(\.[^"]*)",\s*import\.meta\.url/g];
  const names = forms.flatMap((form) => [...code.matchAll(form)].map((match) => match[1]));
  return names.map((name) => {
    const path = name.replace(/\?.*$/, "");
    return path.startsWith("/") ? path.slice(1) : normalize(join(dirname(file), path));
  });
}

function room(file: string): string {
  return file.split("/")[1];
}

function list(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? list(path) : [path];
  });
}
