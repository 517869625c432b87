// Tokenizers for generation against transformers and the Rust library, over small ones of every kind, as Hub folders and as
// GGUF metadata (tests/reference/generation_tokenizers.py): ids, texts, streams, bytes; and what is refused.
import { existsSync, readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/formats/errors.ts";
import { type GenerationTokenizer, loadGenerationTokenizer } from "../../src/formats/generation-tokenizer.ts";
import { ggufTokenizer } from "../../src/formats/gguf-tokenizer.ts";
import type { TokenizerFolder } from "../../src/formats/tokenizer.ts";

const golden = new URL("../reference/golden/generation-tokenizers/", import.meta.url);
const shared = new URL("../../../shared/weights/", import.meta.url);

interface Golden {
  files: Record<string, Record<string, unknown>>;
  architecture: string;
  gguf: Record<string, unknown> | null;
  vocabSize: number;
  bos: number | null;
  eos: number | null;
  pad: number | null;
  ids: number[][];
  bare: number[][]; // without beginning and end, of the first lines
  literal: number[][]; // special tokens in the text taken as text
  decoded: (string | null)[]; // null: the line itself
  drawn: number[][];
  drawnText: string[];
  drawnSkipped: string[];
}

const read = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, golden), "utf8")) as T;
const texts = read<string[]>("texts.json");
const kinds = ["gpt2", "llama3", "qwen2", "smollm", "gpt-4o", "llama2", "llama2-class", "llama2-legacy", "metaspace", "gemma", "t5"];

function folder(files: Record<string, unknown>): TokenizerFolder {
  return {
    json: async (path) => (path in files ? JSON.parse(JSON.stringify(files[path])) as unknown : null),
    text: async (path) => (typeof files[path] === "string" ? files[path] : null),
  };
}

/** The metadata as a GGUF reader gives it. */
function metadata({ gguf, architecture, files }: Golden): Map<string, unknown> {
  const all = new Map<string, unknown>([["general.architecture", architecture.replace("_text", "")]]);
  for (const [key, value] of Object.entries(gguf ?? {})) all.set(`tokenizer.ggml.${key}`, key === "scores" ? Float32Array.from(value as number[]) : key === "token_type" ? Int32Array.from(value as number[]) : value);
  if (gguf !== null && "precompiled_charsmap" in gguf) {
    const { precompiled_charsmap: table } = files["tokenizer.json"].normalizer as { precompiled_charsmap: string };
    all.set("tokenizer.ggml.precompiled_charsmap", Uint8Array.from(Buffer.from(table, "base64")));
  }
  return all;
}

/** The first few that differ, with how many do. */
function expectSame<T>(what: string, got: readonly T[], expected: readonly T[], of: (i: number) => unknown): void {
  expect(got.length).toBe(expected.length);
  const differing = expected.flatMap((value, i) => (JSON.stringify(got[i]) === JSON.stringify(value) ? [] : [{ of: of(i), got: got[i], expected: value }]));
  expect(differing.slice(0, 3), `${what}: ${differing.length} of ${expected.length} differ`).toEqual([]);
}

function compare(tokenizer: GenerationTokenizer, expected: Golden): void {
  const line = (i: number): string => texts[i];
  expectSame("ids", texts.map((text) => [...tokenizer.encode(text)]), expected.ids, line);
  expectSame("bare ids", texts.slice(0, 60).map((text) => [...tokenizer.encode(text, { addSpecialTokens: false })]), expected.bare, line);
  expectSame("literal ids", texts.slice(0, 60).map((text) => [...tokenizer.encode(text, { addSpecialTokens: false, parseSpecialTokens: false })]), expected.literal, line);
  expectSame("text", expected.ids.map((ids) => tokenizer.decode(ids, { skipSpecialTokens: true })), expected.decoded.map((text, i) => text ?? texts[i]), line);
  expectSame("text of drawn ids", expected.drawn.map((ids) => tokenizer.decode(ids)), expected.drawnText, (i) => expected.drawn[i]);
  expectSame("text of drawn ids, skipped", expected.drawn.map((ids) => tokenizer.decode(ids, { skipSpecialTokens: true })), expected.drawnSkipped, (i) => expected.drawn[i]);
  expect(tokenizer.vocabSize).toBe(expected.vocabSize);
}

describe.each(kinds)("%s", (kind) => {
  const expected = read<Golden>(`${kind}.json`);
  const open = (): Promise<GenerationTokenizer> => loadGenerationTokenizer(folder({ ...expected.files, "config.json": { model_type: expected.architecture } }));

  test("a Hub folder gives transformers' ids and texts", async () => {
    const tokenizer = await open();
    compare(tokenizer, expected);
    expect([tokenizer.roles.bos ?? null, tokenizer.roles.eos ?? null, tokenizer.roles.pad ?? null]).toEqual([expected.bos, expected.eos, expected.pad]);
    expect(tokenizer.endTokens).toEqual(expected.eos === null ? [] : [expected.eos]);
  });

  const written = expected.gguf !== null; // not every kind has a form in GGUF
  if (written) test("so does a GGUF's metadata", () => {
    const tokenizer = ggufTokenizer(metadata(expected));
    compare(tokenizer, expected);
    expect(tokenizer.endTokens).toContain(expected.eos);
  });

  test("a stream gives the same text in pieces that never end within a character", async () => {
    const tokenizer = await open();
    for (const ids of [...expected.ids, ...expected.drawn]) {
      for (const skipSpecialTokens of [true, false]) {
        const stream = tokenizer.stream({ skipSpecialTokens });
        const pieces = [...ids.map((id) => stream.push([id])), stream.end()];
        expect(pieces.join("")).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
        expect(pieces.every((piece) => !/\p{Surrogate}/u.test(piece))).toBe(true);
      }
    }
  });

  test("the bytes of a text's tokens are the text", async () => {
    const tokenizer = await open();
    const text = "ab naïve 👩‍🚀 Москва 12";
    const bytes = [...tokenizer.encode(text, { addSpecialTokens: false })].map((id) => tokenizer.tokenBytes(id) ?? expect.fail(`no bytes of ${id}`));
    expect(Buffer.concat(bytes).toString("utf8").trimStart()).toBe(kind === "t5" ? tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true }) : text);
    for (const id of tokenizer.specialTokens.values()) expect(tokenizer.tokenBytes(id)).toBeNull();
  });
});

const there = existsSync(shared);
const skipped = there ? "" : " (skipped: ../shared is not here)";

test.skipIf(!there)(`GPT-2's own vocabulary, from vocab.json and merges.txt${skipped}`, async () => {
  const [vocab, merges] = await zipped(new URL("gpt2-bpe.zip", shared), ["encoder.json", "vocab.bpe"]);
  const tokenizer = await loadGenerationTokenizer(folder({ "vocab.json": JSON.parse(vocab) as unknown, "merges.txt": merges, "config.json": { model_type: "gpt2" } }));
  expect(tokenizer.vocabSize).toBe(50257);
  expect(tokenizer.endTokens).toEqual([50256]);
  expect([...tokenizer.encode("Hello world")]).toEqual([15496, 995]); // as transformers' own documentation has it
  expect([...tokenizer.encode(" Hello world")]).toEqual([18435, 995]);
  expect([...tokenizer.encode("a<|endoftext|>b")]).toEqual([64, 50256, 65]);
  for (const text of texts.filter((text) => !text.includes("<|"))) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
});

test.skipIf(!there)(`the tokenizer of a real small Llama${skipped}`, async () => {
  const json = (name: string): unknown => JSON.parse(readFileSync(new URL(`tinystories-260k/${name}`, shared), "utf8")) as unknown;
  const tokenizer = await loadGenerationTokenizer(folder({ "tokenizer.json": json("tokenizer.json"), "tokenizer_config.json": json("tokenizer_config.json"), "config.json": json("config.json") }));
  expect([...tokenizer.encode("Once upon a time")]).toEqual([1, 403, 407, 261, 378]); // llama2.c's ids
  expect(tokenizer.decode(tokenizer.encode("Once upon a time, Lily saw a ☃."), { skipSpecialTokens: true })).toBe("Once upon a time, Lily saw a ☃.");
  expect(tokenizer.endTokens).toEqual([2]);
});

describe("what is not ordinary", () => {
  const llama = read<Golden>("llama3.json");
  const open = (files: Record<string, unknown>): Promise<GenerationTokenizer> => loadGenerationTokenizer(folder({ ...llama.files, ...files }));

  test("half a surrogate pair counts as U+FFFD, an empty text has only its beginning", async () => {
    const tokenizer = await open({});
    expect(tokenizer.encode("a\ud83db")).toEqual(tokenizer.encode("a\ufffdb"));
    expect([...tokenizer.encode("")]).toEqual([llama.bos]);
    expect(tokenizer.decode([])).toBe("");
    expect(tokenizer.decode([-1, 1e9, 0.5])).toBe("");
  });

  test("incomplete characters wait, and are U+FFFD at the end", async () => {
    const tokenizer = await open({});
    const bytes = [...tokenizer.encode("🫠", { addSpecialTokens: false })];
    expect(bytes.length).toBeGreaterThan(1);
    const stream = tokenizer.stream();
    expect(bytes.slice(0, -1).map((id) => stream.push([id])).join("")).toBe("");
    expect(stream.push(bytes.slice(-1))).toBe("🫠");
    expect(stream.push(bytes.slice(0, 1)) + stream.end()).toBe("\ufffd");
    expect(stream.push(bytes) + stream.end()).toBe("🫠"); // after its end it begins anew
  });

  test("a prompt of 50,000 characters takes no quadratic time, with words or without", async () => {
    for (const kind of ["llama3", "llama2", "gemma"]) {
      const tokenizer = await loadGenerationTokenizer(folder(read<Golden>(`${kind}.json`).files));
      const start = performance.now();
      for (const text of ["abc", "a story, ", "\n", " "]) tokenizer.encode(text.repeat(50_000 / text.length));
      expect(performance.now() - start).toBeLessThan(20_000);
    }
  });

  const json = llama.files["tokenizer.json"];
  const model = json.model as Record<string, unknown>;
  const split = (Regex: string): unknown => ({ ...json, pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated" } });
  test.each<[string, Record<string, unknown>, string]>([
    ["no files", { "tokenizer.json": null }, "neither tokenizer.json nor vocab.json"],
    ["another class without its file", { "tokenizer.json": null, "vocab.json": {}, "merges.txt": "a b", "tokenizer_config.json": { tokenizer_class: "XTokenizer" } }, "XTokenizer"],
    ["a model of another kind", { "tokenizer.json": { ...json, model: { type: "WordPiece", vocab: {} } } }, 'type "WordPiece" is not supported'],
    ["a normalizer of another kind", { "tokenizer.json": { ...json, normalizer: { type: "Nmt" } } }, 'normalizer "Nmt"'],
    ["a pre-tokenizer of another kind", { "tokenizer.json": { ...json, pre_tokenizer: { type: "UnicodeScripts" } } }, 'pre-tokenizer "UnicodeScripts"'],
    ["a decoder of another kind", { "tokenizer.json": { ...json, decoder: { type: "CTC" } } }, 'decoder "CTC"'],
    ["a post-processor of another kind", { "tokenizer.json": { ...json, post_processor: { type: "X" } } }, 'post-processor "X"'],
    ["a regular expression that may take for ever", { "tokenizer.json": split("(?:a+)+$") }, "repeats a repeat"],
    ["a regular expression that is none", { "tokenizer.json": split("(a") }, "cannot be read"],
    ["a merge of unknown tokens", { "tokenizer.json": { ...json, model: { ...model, merges: ["a nothing"] } } }, 'the token "nothing"'],
    ["an id that is none", { "tokenizer.json": { ...json, model: { ...model, vocab: { a: -1 } } } }, 'gives "a" the id -1'],
    ["a token with half a pair", { "tokenizer.json": { ...json, model: { type: "BPE", vocab: { "\ud800": 1 }, merges: [] } } }, "half a surrogate pair"],
    ["a BPE with dropout", { "tokenizer.json": { ...json, model: { ...model, dropout: 0.1 } } }, "dropout"],
    ["a special token that is no text", { "tokenizer_config.json": { bos_token: 3 } }, "is no text"],
  ])("%s is an error that says so", async (_what, files, message) => {
    const opening = open(files);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toBeInstanceOf(FormatError);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["a pre-tokenizer that is not known", { pre: "new-kind" }, 'the pre-tokenizer "new-kind" (tokenizer.ggml.pre) is not known'],
    ["another model", { model: "rwkv" }, 'the tokenizer "rwkv"'],
    ["no tokens", { tokens: undefined }, "tokenizer.ggml.tokens: a list of texts expected, got nothing"],
    ["too few token types", { token_type: [1, 2] }, "tokenizer.ggml.token_type: a list of 903 numbers"],
    ["an id outside", { eos_token_id: 9999 }, "tokenizer.ggml.eos_token_id: an id below 903"],
    ["a flag that is a number", { add_bos_token: 1 }, "tokenizer.ggml.add_bos_token: true or false"],
  ])("in a GGUF: %s is an error that says so", (_what, change, message) => {
    const opening = (): unknown => ggufTokenizer(metadata({ ...llama, gguf: { ...llama.gguf, ...change } }));
    expect(opening).toThrow(FormatError);
    expect(opening).toThrow(message);
  });
});

/** Files of a zip archive, as text. */
async function zipped(url: URL, names: string[]): Promise<string[]> {
  const bytes = readFileSync(url);
  const directory = bytes.readUInt32LE(bytes.lastIndexOf(Buffer.from("PK\x05\x06")) + 16);
  const found = new Map<string, string>();
  for (let at = directory; bytes.readUInt32LE(at) === 0x0201_4b50; ) {
    const [packed, nameLength, extra, comment, offset] = [bytes.readUInt32LE(at + 20), bytes.readUInt16LE(at + 28), bytes.readUInt16LE(at + 30), bytes.readUInt16LE(at + 32), bytes.readUInt32LE(at + 42)];
    const data = offset + 30 + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28);
    const content = bytes.subarray(data, data + packed);
    const method = bytes.readUInt16LE(at + 10);
    found.set(bytes.toString("utf8", at + 46, at + 46 + nameLength), (method === 8 ? inflateRawSync(content) : content).toString("utf8"));
    at += 46 + nameLength + extra + comment;
  }
  return names.map((name) => found.get(name) ?? expect.fail(`${name} is not in the archive`));
}
