// Tokenizers against transformers on 2,000 mixed lines (tests/reference/tokenizers_clip.py): ids, padding, and what was cut.
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { FormatError } from "../../src/formats/errors.ts";
import { loadTokenizer, type TextTokenizer, type TokenizerFolder } from "../../src/formats/tokenizer.ts";

const golden = new URL("../reference/golden/tokenizers/", import.meta.url);
const publicMerges = new URL("../../../shared/weights/clip-bpe_simple_vocab_16e6.txt.gz", import.meta.url);

interface Expected {
  maxLength: number;
  padId: number;
  ids: number[][]; // without padding
  cut: Record<string, string>;
}

const read = (name: string): string => readFileSync(new URL(name, golden), "utf8");
const lines = JSON.parse(read("lines.json")) as string[];

/** A folder on disk, with some files replaced. */
function folder(name: string, files: Record<string, unknown> = {}): TokenizerFolder {
  const text = async (path: string): Promise<string | null> => {
    const file = path.replace(/^tokenizer\//, "");
    if (file in files) return typeof files[file] === "string" ? files[file] : JSON.stringify(files[file]);
    const url = new URL(`${name}/${file}`, golden);
    return existsSync(url) ? readFileSync(url, "utf8") : null;
  };
  return { text, json: async (path) => JSON.parse((await text(path)) ?? "null") as unknown };
}

/** Compares every line that the golden file has; lists the first few that differ. */
function compare(tokenizer: TextTokenizer, expected: Expected): void {
  expect(tokenizer.maxLength).toBe(expected.maxLength);
  const differing = expected.ids.flatMap((ids, i) => {
    const { ids: got, attentionMask, truncated } = tokenizer.encode(lines[i]);
    const padded = Array.from({ length: expected.maxLength }, (_, k) => ids[k] ?? expected.padId);
    const mask = padded.map((_, k) => (k < ids.length ? 1 : 0));
    const same = String(got) === String(padded) && String(attentionMask) === String(mask) && truncated === (expected.cut[i] ?? null);
    return same ? [] : [{ line: lines[i], got: String(got), expected: String(padded), truncated, cut: expected.cut[i] ?? null }];
  });
  expect(differing.slice(0, 3), `${differing.length} of ${expected.ids.length} lines differ`).toEqual([]);
}

test("CLIP with a small vocabulary, in the layout of Stable Diffusion 1.x", async () => {
  const expected = JSON.parse(read("clip-small.json")) as Expected;
  expect(expected.ids).toHaveLength(2000);
  compare(await loadTokenizer(folder("clip-small")), expected);
});

test("CLIP padded with !, in the layout of Stable Diffusion 2.x", async () => {
  const map = JSON.parse(read("clip-small/special_tokens_map.json")) as Record<string, unknown>;
  const tokenizer = await loadTokenizer(folder("clip-small", { "special_tokens_map.json": { ...map, pad_token: "!" } }));
  compare(tokenizer, JSON.parse(read("clip-small-2x.json")) as Expected);
});

test("CLIP saved by today's transformers as one tokenizer.json", async () => {
  compare(await loadTokenizer(folder("clip-saved")), JSON.parse(read("clip-small.json")) as Expected);
});

test("another tokenizer.json with template, truncation and padding", async () => {
  compare(await loadTokenizer(folder("fast")), JSON.parse(read("fast.json")) as Expected);
});

const vocabularyThere = existsSync(publicMerges);
test.skipIf(!vocabularyThere)(`CLIP's public vocabulary${vocabularyThere ? "" : " (skipped: ../shared is not here)"}`, async () => {
  const merges = gunzipSync(readFileSync(publicMerges)).toString("utf8").split("\n").slice(1, 49152 - 256 - 2 + 1);
  const printable = [...Array(256).keys()].map((i) => String.fromCodePoint(i)).filter((c) => /[!-~¡-¬®-ÿ]/.test(c));
  const alphabet = [...printable, ...Array.from({ length: 256 - printable.length }, (_, i) => String.fromCodePoint(256 + i))];
  const tokens = [...alphabet, ...alphabet.map((c) => `${c}</w>`), ...merges.map((m) => m.replace(" ", "")), "<|startoftext|>", "<|endoftext|>"];
  expect(tokens).toHaveLength(49408);
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const files = { "vocab.json": vocab, "merges.txt": ["#version: 0.2", ...merges, ""].join("\n") };
  const tokenizer = await loadTokenizer(folder("clip-small", files));
  expect([...tokenizer.encode("a photo of an astronaut").ids.slice(0, 8)]).toEqual([49406, 320, 1125, 539, 550, 18376, 49407, 49407]);
  compare(tokenizer, JSON.parse(read("clip-public.json")) as Expected);
});

test("a word of 200,000 letters takes no quadratic time", async () => {
  const tokenizer = await loadTokenizer(folder("clip-small"));
  const start = performance.now();
  expect(tokenizer.encode("applepie".repeat(25_000)).truncated).toContain("applepie");
  expect(performance.now() - start).toBeLessThan(5000);
});

test.each<[string, Record<string, unknown>, string]>([
  ["no files at all", { "vocab.json": null, "merges.txt": "", "tokenizer_config.json": { model_max_length: 8 } }, "neither tokenizer.json nor vocab.json"],
  ["no length", { "tokenizer_config.json": { model_max_length: 1e30 } }, "no length is stated"],
  ["padding on the left", { "tokenizer_config.json": { model_max_length: 77, padding_side: "left" } }, 'padding_side "right" expected'],
  ["a token that strips", { "special_tokens_map.json": { pad_token: { content: "x", lstrip: true } } }, "lstrip"],
  ["another class without its file", { "tokenizer_config.json": { model_max_length: 77, tokenizer_class: "T5Tokenizer" } }, "T5Tokenizer without its tokenizer.json"],
  ["a merge of three", { "merges.txt": "a b c" }, "no merge of two tokens"],
  ["a merge that makes nothing known", { "merges.txt": "! ?" }, 'needs the token "!?"'],
  ["a vocabulary of texts", { "vocab.json": { a: "b" } }, 'gives "a" the id "b"'],
  ["a broken tokenizer.json", { "tokenizer.json": { model: {} }, "tokenizer_config.json": { model_max_length: 8, tokenizer_class: "X" } }, "tokenizer.json cannot be read"],
])("%s is an error that says so", async (_what, files, message) => {
  const opening = loadTokenizer(folder("clip-small", files));
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.toBeInstanceOf(FormatError);
});
