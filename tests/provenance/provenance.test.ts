// Marks of origin: what is written is read again, what is private is not written, and hostile files say nothing.
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePng, encodePng, readPngText } from "../../src/formats/png.ts";
import type { GeneratedImage, Recipe } from "../../src/pipelines/types.ts";
import { inspect } from "../../src/provenance/inspect.ts";
import { markedPng, withoutRecipe } from "../../src/provenance/mark.ts";
import { isSeed, parseRecipe, recipeText } from "../../src/provenance/recipe.ts";
import { readXmp, trainedAlgorithmicMedia, writeXmp } from "../../src/provenance/xmp.ts";
import { recipeOf } from "../fake-pipeline.ts";

const recipe = recipeOf("красное яблоко, 3d", { seed: 2n ** 64n - 1n, negativePrompt: "worm" });

function image(of: Recipe = recipe): GeneratedImage {
  return { width: 8, height: 8, data: Uint8ClampedArray.from({ length: 256 }, (_, i) => (i % 4 === 3 ? 255 : i)), recipe: of };
}

test("a marked picture is recognised, with its recipe", async () => {
  const png = await markedPng(image());
  expect(await inspect(new Blob([png]))).toEqual({ madeByKiln: true, recipe, digitalSourceType: trainedAlgorithmicMedia });
});

test("without the recipe the mark stays, and no word of the prompt is in the file", async () => {
  const png = await markedPng(image(), { recipe: false });
  expect(await inspect(new Blob([png]))).toEqual({ madeByKiln: true, recipe: null, digitalSourceType: trainedAlgorithmicMedia });
  const bytes = new TextDecoder().decode(png);
  for (const secret of ["яблоко", "worm", recipe.seed]) expect(bytes).not.toContain(secret);
});

test("taking the recipe out of a file gives the file that never had it", async () => {
  expect(withoutRecipe(await markedPng(image()))).toEqual(await markedPng(image(), { recipe: false }));
});

test("the pixels do not change", async () => {
  const { data } = await decodePng(await markedPng(image()));
  expect([...data]).toEqual([...image().data]);
});

test("other tools find their line of settings", async () => {
  const { text } = await readPngText(await markedPng(image()));
  expect(text.Software).toBe("Kiln 0.1.0");
  expect(text.Description).toBe("красное яблоко, 3d");
  expect(text.parameters).toBe(
    "красное яблоко, 3d\nNegative prompt: worm\nSteps: 8, Sampler: ddim, CFG scale: 2, Seed: 18446744073709551615, Size: 128x128, Model: emoji, Version: Kiln 0.1.0",
  );
});

test("any prompt survives the way through a file", async () => {
  const prompts = fc.string({ unit: "binary", maxLength: 60 }).filter((text) => !text.includes("\0"));
  await fc.assert(fc.asyncProperty(prompts, async (prompt) => {
    const made = await inspect(new Blob([await markedPng(image({ ...recipe, prompt }))]));
    expect(made.recipe?.prompt).toBe(prompt);
  }), { numRuns: 20 });
});

test.each([
  ["no JSON", "{"],
  ["no object", "7"],
  ["null", "null"],
  ["a list", "[]"],
  ["a missing field", JSON.stringify({ ...recipe, prompt: undefined })],
  ["another type", JSON.stringify({ ...recipe, prompt: ["a"] })],
  ["another task", JSON.stringify({ ...recipe, task: "text-to-speech" })],
  ["a seed that is too large", JSON.stringify({ ...recipe, seed: "18446744073709551616" })],
  ["a seed that is no number", JSON.stringify({ ...recipe, seed: "1e3" })],
  ["steps without end", JSON.stringify({ ...recipe, numInferenceSteps: 1e9 })],
  ["a broken step", JSON.stringify({ ...recipe, numInferenceSteps: 1.5 })],
  ["an index outside the batch", JSON.stringify({ ...recipe, index: 1 })],
  ["no number", `${JSON.stringify(recipe).slice(0, -1)},"guidanceScale":null}`],
  ["a prompt without end", JSON.stringify({ ...recipe, prompt: "a".repeat(30_000) })],
  ["a text without end", `"${"a".repeat(200_000)}"`],
])("a recipe with %s is none", (_, json) => {
  expect(parseRecipe(json)).toBeNull();
});

test("fields that we do not know are dropped, those of objects' prototypes included", () => {
  const json = `{"__proto__":{"polluted":true},"constructor":1,${JSON.stringify({ ...recipe, more: 1 }).slice(1)}`;
  expect(parseRecipe(json)).toEqual(recipe);
  expect(parseRecipe('{"__proto__":' + JSON.stringify(recipe) + "}")).toBeNull();
});

test("parseRecipe never throws", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (json) => void parseRecipe(json)));
});

test("parseRecipe is the inverse of what is written", () => {
  expect(parseRecipe(recipeText(recipe).kiln)).toEqual(recipe);
});

test("seeds", () => {
  expect(["0", "1", "18446744073709551615"].map(isSeed)).toEqual([true, true, true]);
  expect(["", "-1", "01", "1.0", " 1", "0x1", "18446744073709551616", "99999999999999999999"].map(isSeed)).not.toContain(true);
});

test("XMP is read as others write it: attributes, other prefixes, escapes", () => {
  const xmp = `<rdf:Description xmlns:e='http://iptc.org/std/Iptc4xmpExt/2008-02-29/' e:DigitalSourceType='http://x/a&amp;b'
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"><xmp:CreatorTool> Some &lt;Tool&gt; </xmp:CreatorTool></rdf:Description>`;
  expect(readXmp(xmp)).toEqual({ digitalSourceType: "http://x/a&b", creatorTool: "Some <Tool>" });
});

test("a property under another namespace is not ours", () => {
  const xmp = `<x xmlns:xmp="http://elsewhere/" xmlns:Iptc4xmpExt="http://elsewhere/"><xmp:CreatorTool>Kiln 1</xmp:CreatorTool></x>`;
  expect(readXmp(xmp)).toEqual({ digitalSourceType: null, creatorTool: null });
});

test("a tool's name is escaped on the way out", () => {
  expect(readXmp(writeXmp(`<&"'>`)).creatorTool).toBe(`<&"'>`);
});

test("a hostile packet takes no time", () => {
  const start = performance.now();
  for (const part of [`xmlns:a="http://ns.adobe.com/xap/1.0/" `, "<a:CreatorTool ", ` a:CreatorTool="`, "<a:CreatorTool>"]) {
    readXmp(`xmlns:a="http://ns.adobe.com/xap/1.0/" ${part.repeat(400_000 / part.length)}`);
  }
  expect(performance.now() - start).toBeLessThan(2000);
});

test("files that say nothing, say nothing", async () => {
  const nothing = { madeByKiln: false, recipe: null, digitalSourceType: null };
  const plain = await encodePng(image());
  const marked = await markedPng(image());
  const damaged = marked.slice();
  damaged[60] ^= 1;
  for (const bytes of [new Uint8Array(), new TextEncoder().encode("hello"), plain, marked.slice(0, 100), damaged]) {
    expect(await inspect(new Blob([bytes]))).toEqual(nothing);
  }
});

test("another tool's mark is told without claiming the picture", async () => {
  const png = await encodePng(image(), { xmp: writeXmp("Other 1.0"), text: { kiln: '{"task":"text-to-image"}' } });
  expect(await inspect(new Blob([png]))).toEqual({ madeByKiln: false, recipe: null, digitalSourceType: trainedAlgorithmicMedia });
});
