// The watermark: the GPU's green lists against the CPU's, and marked and unmarked texts told apart.
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { binomialTail, inspectText, type TextInspection } from "../../src/provenance/inspect-text.ts";
import { trieOf } from "../../src/sampling/grammar/trie.ts";
import { greenListOf, isGreen, seedAfter, watermark, type WatermarkOptions } from "../../src/sampling/watermark.ts";
import { empty, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, type Float, lcg, random } from "../kernels/values.ts";
import { gpt2Vocabulary } from "./grammar/vocabularies.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());
const dtypes: Float[] = gpu.features.f16 ? ["f32", "f16"] : ["f32"];
const hashingKey = 0x0123456789abcdefn;
const vocab = 150;
const length = 200;

const uniform = lcg(99);
const normals = Float64Array.from({ length: 10_000 }, () => Math.sqrt(-2 * Math.log(uniform() || 1e-9)) * Math.cos(2 * Math.PI * uniform()));

/** A text of draws from softmax(logits + bias of green tokens), the logits normal with this deviation: the larger, the less there is to choose. */
function draw(options: WatermarkOptions, seed: number, deviation: number): number[] {
  const list = greenListOf(options);
  const next = lcg(seed);
  const text: number[] = Array.from({ length: list.contextWidth }, () => Math.floor(next() * vocab)); // a prompt
  while (text.length < list.contextWidth + length) {
    const decider = seedAfter(list, text.slice(-list.contextWidth));
    const first = Math.floor(next() * (normals.length - vocab));
    const masses = Float64Array.from({ length: vocab }, (_, token) => {
      return Math.exp(deviation * normals[first + token] + (decider !== null && isGreen(list, decider, token) ? list.bias : 0));
    });
    let left = next() * masses.reduce((a, b) => a + b);
    let token = 0;
    while (token < vocab - 1 && (left -= masses[token]) > 0) token++;
    text.push(token);
  }
  return text.slice(list.contextWidth);
}

const below = (all: readonly TextInspection[], p: number): number => all.filter(({ pValue }) => pValue < p).length;

describe.each(dtypes)("watermark, %s", (dtype) => {
  it("adds the bias to the tokens that the CPU finds green", async () => {
    for (const [batch, size, contextWidth] of [[1, 1000, 4], [3, 333, 1], [2, 65, 7]]) {
      const next = lcg(size);
      const previous = Int32Array.from({ length: batch * contextWidth }, (_, i) => (i % 3 === 0 && contextWidth > 1 ? -1 : Math.floor(next() * size)));
      const options = { hashingKey, contextWidth, bias: 3, greenlistRatio: 0.4 };
      const list = greenListOf(options);
      const logits = random(gpu, [batch, size], dtype, 1, 8);
      using tokens = upload(gpu, previous, [batch, contextWidth], "i32");
      using out = watermark(logits.tensor, tokens, options);
      const deciders = Array.from({ length: batch }, (_, row) => seedAfter(list, Array.from(previous.slice(row * contextWidth, (row + 1) * contextWidth))));
      const green = (i: number): boolean => isGreen(list, deciders[Math.floor(i / size)] ?? 0, i % size);
      await expectClose(out, logits.values.map((value, i) => value + (green(i) ? 3 : 0)), dtype === "f16" ? 1e-3 : 1e-6);
      logits.tensor.dispose();
    }
  });

  it("leaves a sequence alone that has no tokens yet", async () => {
    const logits = random(gpu, [1, 50], dtype, 2);
    using none = upload(gpu, Int32Array.of(-1, -1, -1, -1), [1, 4], "i32");
    using out = watermark(logits.tensor, none, { hashingKey });
    await expectClose(out, logits.values, 0);
    logits.tensor.dispose();
  });
});

describe("watermark", () => {
  it("colours the ratio of the vocabulary green, otherwise after other tokens and for other keys", () => {
    const list = greenListOf({ hashingKey });
    const other = greenListOf({ hashingKey: hashingKey ^ 1n });
    const ids = Array.from({ length: 40_000 }, (_, token) => token);
    const greens = [1, 2].map((token) => ids.map((id) => isGreen(list, seedAfter(list, [token]) ?? 0, id)));
    greens.push(ids.map((id) => isGreen(other, seedAfter(other, [1]) ?? 0, id)));
    for (const green of greens) expect(green.filter(Boolean).length / ids.length).toBeCloseTo(0.25, 1);
    for (const [a, b] of [[0, 1], [0, 2], [1, 2]]) expect(ids.filter((id) => greens[a][id] && greens[b][id]).length / ids.length).toBeCloseTo(0.0625, 2);
  });

  it("refuses what does not fit, and plans without a device", () => {
    const planner = gpu.planner();
    using logits = empty(planner, [2, 10], "f32");
    using previous = empty(planner, [2, 4], "i32");
    using out = watermark(logits, previous, { hashingKey });
    expect(out.shape).toEqual([2, 10]);
    expect(() => watermark(logits, logits, { hashingKey })).toThrow("watermark: previous expected i32 [2, 10], got f32");
    expect(() => watermark(logits, previous.slice(0, 0, 1), { hashingKey })).toThrow("watermark: previous expected [2, *], got [1, 4]");
    expect(() => greenListOf({ hashingKey: -1 })).toThrow("hashingKey");
    expect(() => greenListOf({ hashingKey, greenlistRatio: 1 })).toThrow("greenlistRatio");
    expect(() => greenListOf({ hashingKey, contextWidth: 0 })).toThrow("contextWidth");
    expect(() => greenListOf({ hashingKey, bias: Number.NaN })).toThrow("bias");
  });
});

describe("inspectText", () => {
  it("recognises 200 marked texts of 200 tokens, and none of 200 unmarked ones", () => {
    const marked = Array.from({ length: 200 }, (_, i) => inspectText(draw({ hashingKey }, i + 1, 2), { hashingKey }));
    const plain = Array.from({ length: 200 }, (_, i) => inspectText(draw({ hashingKey, bias: 0 }, i + 1, 2), { hashingKey }));
    console.info(`marked: ${below(marked, 1e-4)}, ${below(marked, 1e-6)} of 200 at p < 1e-4, 1e-6; unmarked: ${below(plain, 1e-4)}, ${below(plain, 1e-6)}; mean z ${mean(marked)}, ${mean(plain)}`);
    expect(below(marked, 1e-6)).toBeGreaterThanOrEqual(198);
    expect(below(plain, 1e-4)).toBeLessThanOrEqual(1);
    expect(marked.every((each) => each.marked === each.pValue < 1e-6)).toBe(true);
    const otherKey = Array.from({ length: 20 }, (_, i) => inspectText(draw({ hashingKey }, i + 1, 2), { hashingKey: 7 }));
    expect(below(otherKey, 1e-4)).toBe(0);
  });

  const books = new URL("../../../shared/data/fairy-tales.txt.gz", import.meta.url);
  const vocabulary = gpt2Vocabulary();
  it.skipIf(!existsSync(books) || !vocabulary)("takes none of 200 texts that people wrote for marked (absent: ../shared/data/fairy-tales.txt.gz)", () => {
    if (!vocabulary) return;
    const bytes = [...gunzipSync(readFileSync(books)).subarray(0, 400_000)];
    const ids: number[] = [];
    for (let at = 0; at < bytes.length && ids.length < 200 * length; ) {
      const found = trieOf(vocabulary).longest(bytes, at);
      ids.push(found?.token ?? 0);
      at += found?.length ?? 1;
    }
    const human = Array.from({ length: 200 }, (_, i) => inspectText(ids.slice(i * length, (i + 1) * length), { hashingKey }));
    console.info(`written by people: ${below(human, 1e-2)}, ${below(human, 1e-4)} of 200 at p < 1e-2, 1e-4; mean z ${mean(human)}`);
    expect(below(human, 1e-4)).toBeLessThanOrEqual(1);
    expect(human.filter(({ marked }) => marked)).toEqual([]);
  });

  it("counts a repeated phrase once", () => {
    const phrase = draw({ hashingKey }, 5, 1).slice(0, 12);
    const once = inspectText([...phrase, ...phrase], { hashingKey });
    const often = inspectText(Array.from({ length: 30 }, () => phrase).flat(), { hashingKey });
    expect(often).toEqual(once);
  });

  it("asks a tokenizer for a text's tokens", () => {
    const tokenizer = { encode: (text: string, { addSpecialTokens }: { addSpecialTokens: boolean }) => (addSpecialTokens ? [] : Array.from(text, (character) => character.charCodeAt(0))) };
    expect(inspectText("once upon a time", { hashingKey, tokenizer })).toEqual(inspectText(Array.from("once upon a time", (character) => character.charCodeAt(0)), { hashingKey }));
    expect(() => inspectText("once", { hashingKey })).toThrow("inspectText: a text needs the tokenizer");
    expect(inspectText([1, 2], { hashingKey })).toMatchObject({ tokens: 0, zScore: 0, pValue: 1, marked: false });
  });

  it("sums the binomial distribution's tail", () => {
    expect(binomialTail(10, 0, 0.25)).toBe(1);
    expect(binomialTail(3, 2, 0.25)).toBeCloseTo(10 / 64, 12);
    expect(binomialTail(200, 100, 0.5)).toBeCloseTo(0.528174239, 8);
    expect(binomialTail(2000, 2000, 0.25)).toBe(0);
    expect(binomialTail(100_000, 24_000, 0.25)).toBeCloseTo(1, 9);
  });
});

function mean(all: readonly TextInspection[]): string {
  return (all.reduce((sum, { zScore }) => sum + zScore, 0) / all.length).toFixed(2);
}
