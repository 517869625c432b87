// Hostile tokenizer files and chat templates: 10,000 mutations end soon, in a result or in a FormatError.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ChatTemplate } from "../../src/formats/chat-template.ts";
import { FormatError } from "../../src/formats/errors.ts";
import { loadGenerationTokenizer } from "../../src/formats/generation-tokenizer.ts";
import { ggufTokenizer } from "../../src/formats/gguf-tokenizer.ts";

const golden = new URL("../reference/golden/", import.meta.url);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, golden), "utf8"));
const templates = Object.values(read("chat-templates/templates.json") as Record<string, { template: string }>).map(({ template }) => template);
const { chats } = read("chat-templates/prompts.json") as { chats: Record<string, { messages: { role: string }[] }> };

/** Numbers below 1, the same every time (Marsaglia's xorshift). */
function drawing(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const pick = <T>(draw: () => number, list: readonly T[]): T => list[Math.floor(draw() * list.length)];
const oddities = [null, true, -1, 0, 1.5, 1e9, 2 ** 53, "", "a", "(a+)+b", "\\", "[", "<0x00>", "\ud800", "__proto__", [], {}, [[]], { type: "Sequence" }, { Regex: "(?:a|b" }, { String: "" }];

/** A copy with one to four places changed, none of them deep in a vocabulary: there every change is like every other. */
function mutated(draw: () => number, value: unknown): unknown {
  const copy = structuredClone(value);
  for (let changes = 1 + Math.floor(draw() * 4); changes > 0; changes--) {
    let at: unknown = copy;
    for (let depth = 0; depth < 12; depth++) {
      if (typeof at !== "object" || at === null) break;
      const fields: Record<string, unknown> = at as Record<string, unknown>;
      const keys = Object.keys(fields);
      if (keys.length === 0) break;
      const key = pick(draw, keys);
      const leaf = typeof fields[key] !== "object" || fields[key] === null;
      if (leaf || draw() < 0.15) {
        if (draw() < 0.3) delete fields[key];
        else fields[key] = draw() < 0.2 ? fields[pick(draw, keys)] : structuredClone(pick(draw, oddities));
        break;
      }
      at = fields[key];
    }
  }
  return JSON.parse(JSON.stringify(copy)) as unknown; // no holes: files have none
}

/** Runs one case; anything but a result or a FormatError fails, with what it was. */
async function tame(what: () => string, work: () => unknown): Promise<"well" | "refused"> {
  try {
    await work();
    return "well";
  } catch (error) {
    if (error instanceof FormatError) return "refused";
    throw new Error(`${what()}: ${error instanceof Error ? error.stack : String(error)}`);
  }
}

test("5,000 mutated tokenizers, from folders and from GGUF metadata", async () => {
  const draw = drawing(12_345);
  const kinds = ["gpt2", "llama3", "qwen2", "smollm", "llama2", "gemma", "t5", "metaspace"];
  const small = kinds.map((kind) => shrunken(read(`generation-tokenizers/${kind}.json`) as Golden));
  const counts = { well: 0, refused: 0 };
  for (let i = 0; i < 5000; i++) {
    const { files, gguf } = pick(draw, small);
    const inGguf = gguf !== null && draw() < 0.4;
    const change = mutated(draw, inGguf ? gguf : files) as Record<string, unknown>;
    counts[await tame(() => `mutation ${i}: ${JSON.stringify(change).slice(0, 3000)}`, async () => {
      const tokenizer = inGguf
        ? ggufTokenizer(new Map(Object.entries(change).map(([key, value]) => [`tokenizer.ggml.${key}`, value])))
        : await loadGenerationTokenizer({ json: async (path) => change[path] ?? null, text: async () => null });
      const ids = tokenizer.encode("Ab é 12\n <s>👍 <|end|>x");
      tokenizer.decode(ids);
      for (const id of ids) tokenizer.tokenBytes(id);
    })]++;
  }
  expect(counts.well).toBeGreaterThan(1000);
  expect(counts.refused).toBeGreaterThan(500);
}, 240_000);

test("5,000 mutated templates", async () => {
  const draw = drawing(54_321);
  const words = templates.flatMap((template) => template.match(/\{[%{]-?|-?[%}]\}|\w+|'[^']*'|[^\w\s]/g) ?? []);
  const counts = { well: 0, refused: 0 };
  for (let i = 0; i < 5000; i++) {
    let source = pick(draw, templates);
    for (let changes = 1 + Math.floor(draw() * 6); changes > 0; changes--) {
      const [from, to] = [draw() * source.length, draw() * source.length].sort((a, b) => a - b).map(Math.floor);
      const kind = draw();
      if (kind < 0.4) source = source.slice(0, from) + pick(draw, words) + source.slice(from);
      else if (kind < 0.7) source = source.slice(0, from) + source.slice(from + 1 + Math.floor(draw() * 8));
      else if (kind < 0.85) source = source.replace(pick(draw, words), () => pick(draw, words));
      else source = source.slice(0, to) + source.slice(from, Math.min(to, from + 300)) + source.slice(to);
    }
    const { messages, ...options } = pick(draw, Object.values(chats));
    counts[await tame(() => `mutation ${i}: ${source}`, () => new ChatTemplate(source, { bos_token: "<s>", eos_token: "</s>" }).render(messages, options))]++;
  }
  expect(counts.well).toBeGreaterThan(200);
  expect(counts.refused).toBeGreaterThan(1000);
}, 240_000);

interface Golden {
  files: Record<string, Record<string, unknown>>;
  gguf: Record<string, unknown> | null;
}

/** The same tokenizer with few tokens and merges, so that thousands are built soon and most changes hit what matters. */
function shrunken({ files, gguf }: Golden): Golden {
  const json = structuredClone(files["tokenizer.json"]) as { normalizer: unknown; model: Record<string, unknown>; added_tokens: { id: number; content: string }[] };
  const { vocab } = json.model;
  const keep = 300;
  if (isTable(json.normalizer)) json.normalizer.precompiled_charsmap = "AAAAAA=="; // the real one has 300 kB
  if (Array.isArray(vocab)) json.model.vocab = vocab.slice(0, keep);
  else {
    const kept = new Set(Object.entries(vocab as Record<string, number>).filter(([, id]) => id < keep).map(([token]) => token));
    json.model.vocab = Object.fromEntries(Object.entries(vocab as Record<string, number>).filter(([token]) => kept.has(token)));
    json.model.merges = (json.model.merges as [string, string][]).filter(([left, right]) => kept.has(left) && kept.has(right) && kept.has(left + right)).slice(0, 60);
  }
  json.added_tokens = json.added_tokens.slice(0, 4);
  const lists = Object.entries(gguf ?? {}).map(([key, value]): [string, unknown] => [key, key === "merges" ? [] : Array.isArray(value) ? value.slice(0, keep) : value]);
  const metadata = { ...Object.fromEntries(lists), bos_token_id: 1, eos_token_id: 2, padding_token_id: 3, precompiled_charsmap: [0, 0, 0, 0] };
  return { files: { ...files, "tokenizer.json": json }, gguf: gguf === null ? null : metadata };
}

function isTable(normalizer: unknown): normalizer is { precompiled_charsmap: string } {
  return typeof normalizer === "object" && normalizer !== null && "precompiled_charsmap" in normalizer;
}
