// Text generation beside transformers: the same folders give the same tokens; conversations go on, what is aborted stops, nothing leaks.
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installWebGpu } from "../../src/cli/webgpu.ts";
import { leaseGpu } from "../../src/gpu/shared.ts";
import { openDirectory } from "../../src/hub/node.ts";
import { loadPipeline } from "../../src/pipelines/pipeline.ts";
import type { TextGenerationPipeline } from "../../src/pipelines/tasks.ts";
import type { TextGenerationOptions, TextInput, TextLoadOptions, TextPiece } from "../../src/pipelines/text-generation-types.ts";
import { greenListOf, isGreen, seedAfter } from "../../src/sampling/watermark.ts";

const GOLDEN = fileURLToPath(new URL("../reference/golden/text-generation/", import.meta.url));
const TINYSTORIES = fileURLToPath(new URL("../../../shared/weights/tinystories-260k/", import.meta.url));

interface Call {
  readonly input: string | readonly { readonly role: string; readonly content: string }[];
  readonly options?: TextGenerationOptions;
  readonly promptTokens: readonly number[];
  readonly tokens: readonly number[];
  readonly text: string;
}
type Batch = { readonly input: readonly string[]; readonly batch: readonly (readonly number[])[] };

async function golden(name: string): Promise<{ maxNewTokens: number; calls: (Call | Batch)[] }> {
  return JSON.parse(await readFile(join(GOLDEN, `${name}.json`), "utf8")) as { maxNewTokens: number; calls: (Call | Batch)[] };
}

async function load(folder: string, options: TextLoadOptions = {}): Promise<TextGenerationPipeline> {
  return loadPipeline("text-generation", await openDirectory(folder), { dtype: "f32", ...options });
}

beforeAll(installWebGpu);

const models = (await readdir(GOLDEN)).filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));

/** Every golden call of a model gives the golden tokens, from whichever files the model comes. */
async function expectGolden(pipe: TextGenerationPipeline, name: string, more: TextGenerationOptions = {}): Promise<void> {
  const { maxNewTokens, calls } = await golden(name);
  for (const call of calls) {
    const options = { ...more, maxNewTokens, doSample: false };
    if ("batch" in call) {
      const { sequences } = await pipe(call.input, options);
      expect(sequences.map(({ tokens }) => tokens), JSON.stringify(call.input)).toEqual(call.batch);
      continue;
    }
    const { tokens, text, promptTokens } = await pipe(call.input, { ...options, ...call.options });
    expect(promptTokens, JSON.stringify(call.input)).toEqual(call.promptTokens);
    expect(tokens, JSON.stringify(call.input)).toEqual(call.tokens);
    expect(text.replaceAll(/\[PAD\d+\]/g, "")).toBe(call.text); // so GGUF files name rows of the embedding that have no token
  }
}

describe.each(models)("%s", (name) => {
  it("says what transformers says, token for token", async () => {
    const pipe = await load(join(GOLDEN, name));
    await expectGolden(pipe, name);
    await pipe.dispose();
  });
});

describe("a GGUF file", () => {
  it("says what its folder says, with its own tokenizer and chat template", async () => {
    const pipe = await load(join(GOLDEN, "qwen3.gguf"));
    expect(pipe.model).toMatchObject({ architecture: "qwen3", chat: true, maxContext: 256 });
    await expectGolden(pipe, "qwen3", { repetitionPenalty: 1.05 }); // which the folder's generation_config.json states
    await pipe.dispose();
  });
});

describe("a real model", () => {
  it("tells of Lily and the big, red ball", async ({ skip }) => {
    if (!existsSync(TINYSTORIES)) skip("../shared/weights/tinystories-260k is not here");
    const pipe = await load(TINYSTORIES);
    const { text } = await pipe("Once upon a time", { maxNewTokens: 40, doSample: false });
    expect(text).toBe(", there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball.");
    await pipe.dispose();
  });
});

describe("text generation", () => {
  const LLAMA = join(GOLDEN, "llama");
  const greedy = { doSample: false, maxNewTokens: 12 };
  let pipe: TextGenerationPipeline;
  beforeAll(async () => {
    pipe = await load(LLAMA);
  });
  afterAll(() => pipe.dispose());

  const fails = (input: TextInput, options?: TextGenerationOptions) => expect(Promise.resolve(pipe(input, options))).rejects;

  it("gives pieces that join to its text", async () => {
    const work = pipe("Once upon", { ...greedy, returnFullText: true });
    const pieces: TextPiece[] = [];
    for await (const piece of work) pieces.push(piece);
    const { text, tokens, usage, finishReason } = await work;
    expect(pieces.map((piece) => piece.text).join("")).toBe(text);
    expect(pieces.flatMap((piece) => piece.tokens)).toEqual(tokens);
    expect(text.startsWith("Once upon")).toBe(true);
    expect(finishReason).toBe("length");
    expect(usage).toMatchObject({ completionTokens: 12 });
    expect(usage.decodeTokensPerSecond).toBeGreaterThan(0);
  });

  it("computes only what the last conversation did not", async () => {
    const first = await pipe("Once upon a time there was", greedy);
    const all = [...first.promptTokens, ...first.tokens];
    const again = await pipe("Once upon a time there was a", greedy);
    expect(again.usage.cachedTokens).toBeGreaterThanOrEqual(first.promptTokens.length - 1);
    const same = await pipe("Once upon a time there was", greedy);
    expect(same.usage.cachedTokens).toBe(first.promptTokens.length - 1);
    expect(same.tokens).toEqual(first.tokens);
    expect(all.length).toBe(first.promptTokens.length + 12);
  });

  it("ends before a stop string, and goes on from there as if nothing had been said since", async () => {
    const { text, tokens } = await pipe("The fox", greedy);
    const stop = [...text].slice(3, 5).join("");
    const short = await pipe("The fox", { ...greedy, stopStrings: [stop] });
    expect(short.text).toBe(text.slice(0, text.indexOf(stop)));
    expect(short.finishReason).toBe("stop-string");
    expect((await pipe("The fox", greedy)).tokens).toEqual(tokens);
  });

  it("draws the same text from the same seed", async () => {
    const options = { doSample: true, temperature: 1.5, topK: 40, maxNewTokens: 8, seed: 2n ** 63n + 5n };
    const a = await pipe("apple", options);
    expect(a.seed).toBe(options.seed);
    expect((await pipe("apple", options)).tokens).toEqual(a.tokens);
    expect((await pipe("apple", { ...options, seed: 6 })).tokens).not.toEqual(a.tokens);
  });

  it("gives log-probabilities where asked", async () => {
    const { logProbs, tokens } = await pipe("apple", { ...greedy, maxNewTokens: 3, topLogProbs: 2 });
    expect(logProbs?.map(({ token }) => token)).toEqual(tokens);
    for (const { token, logProb, top } of logProbs ?? []) {
      expect(top).toHaveLength(2);
      expect(top[0]).toMatchObject({ token, logProb });
      expect(top[1].logProb).toBeLessThanOrEqual(logProb);
    }
  });

  it("gives the prompt's logits, of which the greedy token is the largest", async () => {
    const { logits, tokens, promptTokens } = await pipe("apple tree", { ...greedy, maxNewTokens: 1, returnLogits: true });
    if (!logits) throw new Error("no logits came back");
    expect(logits.shape).toEqual([promptTokens.length, pipe.model.vocabSize]);
    const last = logits.data.subarray(-logits.shape[1]);
    expect(last.indexOf(Math.max(...last))).toBe(tokens[0]);
  });

  it("spells what a pattern or a schema allows, to its end", async () => {
    const options = { doSample: true, maxNewTokens: 30, seed: 1 };
    const matched = await pipe("apple", { ...options, responseFormat: { type: "regex", pattern: "(red|green) (fox|bear)s?" } });
    expect(matched.text).toMatch(/^(red|green) (fox|bear)s?$/);
    expect(matched.finishReason).toBe("stop");
    const schema = { type: "object", properties: { a: { type: "integer" }, b: { enum: ["x", "y"] } }, required: ["a", "b"] };
    const { text } = await pipe("apple", { ...options, maxNewTokens: 60, responseFormat: { type: "json_schema", schema } });
    expect(JSON.parse(text)).toMatchObject({ a: expect.any(Number), b: expect.stringMatching(/^[xy]$/) });
  });

  it("stops, rather than running out of length, where a grammar is complete with the last token", async () => {
    const options = { doSample: false, responseFormat: { type: "regex", pattern: "red fox" } } as const;
    const { tokens } = await pipe("apple", { ...options, maxNewTokens: 30 });
    const exact = await pipe("apple", { ...options, maxNewTokens: tokens.length });
    expect(exact).toMatchObject({ text: "red fox", tokens, finishReason: "stop" });
  });

  it("guesses from repetitions and says the same", async () => {
    const long = { doSample: false, maxNewTokens: 40 };
    const { tokens } = await pipe("the fox the bear the fox the", long);
    const guessed = await pipe("the fox the bear the fox the", { ...long, promptLookup: { numTokens: 4 } });
    expect(guessed.tokens).toEqual(tokens);
    expect(guessed.usage.guessedTokens).toBeGreaterThan(0);
    expect((await pipe("the fox the bear the fox the", long)).tokens).toEqual(tokens); // the cache holds what was accepted alone
    await fails("x", { promptLookup: { numTokens: 4 }, doSample: true }).toThrow(/promptLookup: for one prompt at a time, greedy/);
  });

  it("marks a text with a key's green list", async () => {
    const options = { doSample: true, topK: 0, maxNewTokens: 60, seed: 4 };
    const watermark = { hashingKey: 7n, greenlistRatio: 0.25, bias: 8, contextWidth: 2 };
    const green = greenListOf(watermark);
    const share = ({ promptTokens, tokens }: { readonly promptTokens: readonly number[]; readonly tokens: readonly number[] }) => {
      const all = [...promptTokens, ...tokens];
      const isMarked = (_: number, i: number) => isGreen(green, seedAfter(green, all.slice(promptTokens.length + i - 2, promptTokens.length + i)) ?? 0, tokens[i]);
      return tokens.filter(isMarked).length / tokens.length;
    };
    expect(share(await pipe("Once upon a time", { ...options, watermark }))).toBeGreaterThan(0.7);
    expect(share(await pipe("Once upon a time", options))).toBeLessThan(0.5);
  });

  it("does not end before the fewest tokens that were asked for", async () => {
    const bias = { 1: 100 }; // an end token of this model
    expect((await pipe("apple", { ...greedy, logitBias: bias })).tokens).toEqual([1]);
    const { tokens, finishReason } = await pipe("apple", { ...greedy, logitBias: bias, minNewTokens: 3 });
    expect(tokens).toHaveLength(4);
    expect(finishReason).toBe("stop");
  });

  it("packs its weights to 8 and 4 bits, which says nearly the same in less room", async () => {
    const exact = await pipe("Once upon a time", { ...greedy, maxNewTokens: 1, returnLogits: true });
    const rms = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    for (const [quantize, error] of [["q8", 0.05], ["q4", 0.5]] as const) {
      const packed = await load(LLAMA, { quantize });
      expect(packed.model.memory.weights).toBeLessThan(pipe.model.memory.weights);
      const { logits } = await packed("Once upon a time", { ...greedy, maxNewTokens: 1, returnLogits: true });
      if (!logits || !exact.logits) throw new Error("no logits came back");
      const expected = exact.logits.data;
      expect(rms(logits.data.map((value, i) => value - expected[i]))).toBeLessThan(error * rms(expected));
      await packed.dispose();
    }
  });

  it("answers two calls in order, each as if alone", async () => {
    const [a, b] = [await pipe("Once upon", greedy), await pipe("apple", greedy)];
    const log: string[] = [];
    const say = async (prompt: string) => {
      const work = pipe(prompt, greedy);
      for await (const { text } of work) log.push(`${prompt}: ${text}`);
      return work;
    };
    const both = await Promise.all([say("Once upon"), say("apple")]);
    expect(both.map(({ tokens }) => tokens)).toEqual([a.tokens, b.tokens]);
    expect(log.findIndex((line) => line.startsWith("apple"))).toBeGreaterThan(log.findLastIndex((line) => line.startsWith("Once")));
  });

  it("stops at the token where it is aborted, with what there is, and works again", async () => {
    const { tokens } = await pipe("Once upon", greedy);
    const stop = new AbortController();
    const work = pipe("Once upon", { ...greedy, maxNewTokens: 200, signal: stop.signal });
    let seen = 0;
    for await (const piece of work) if ((seen += piece.tokens.length) === 3) stop.abort();
    const result = await work;
    expect(result.finishReason).toBe("abort");
    expect(result.tokens).toEqual(tokens.slice(0, 3));
    await fails("Once upon", { signal: AbortSignal.abort() }).toMatchObject({ name: "AbortError" });
    expect((await pipe("Once upon", greedy)).tokens).toEqual(tokens);
  });

  it("holds nothing of a generation that was left, and does not grow", async () => {
    const { gpu, release } = await leaseGpu();
    const held: number[] = [];
    for (let i = 0; i < 6; i++) {
      for await (const { tokens } of pipe("Once upon", { ...greedy, doSample: i % 2 === 0, seed: i })) if (tokens.length && i % 3 === 0) break;
      held.push(gpu.memoryUse.live);
    }
    expect(new Set(held.slice(1)).size).toBe(1);
    release();
  });

  it("slides on past its context, or says that it is full", async () => {
    const small = await load(LLAMA, { maxContext: 16 });
    const short = expect(Promise.resolve(small("Once upon a time", { doSample: false, maxNewTokens: 40 }))).rejects;
    await short.toThrow(/maxNewTokens: 40 after a prompt of \d+ tokens do not fit the context of 16; ask for at most \d+, or pass contextFull: "slide"/);
    await expect(Promise.resolve(small("Once upon a time there was a little fox who lived in the forest", {}))).rejects.toThrow(/prompt: it has \d+ tokens, and the context holds 16/);
    const { tokens, finishReason } = await small("Once upon", { doSample: false, maxNewTokens: 24, contextFull: "slide" });
    expect(tokens).toHaveLength(24);
    expect(finishReason).toBe("length");
    await small.dispose();
  });

  it("says in a sentence what is wrong", async () => {
    await fails("").toThrow("prompt: it is empty; write at least a word");
    await fails([]).toThrow(/prompt: /);
    await fails([{ role: "user", content: "Hi" }]).toThrow(/no chat template/);
    await fails("x", { maxNewTokens: 0 }).toThrow(/maxNewTokens: a whole number of at least 1 expected, got 0/);
    await fails("x", { doSample: true, temperature: -1 }).toThrow(/temperature: a number above 0 expected, got -1/);
    await fails("x", { topP: 2, doSample: true }).toThrow(/topP/);
    await fails("x", { seed: -1 }).toThrow(/seed: a whole number from 0/);
    await fails("x", { stopStrings: [""] }).toThrow(/stopStrings/);
    await fails("x", { responseFormat: { type: "regex", pattern: "(" } }).toThrow(/./);
    expect((await pipe("half a \ud83e pair", { ...greedy, maxNewTokens: 2 })).tokens.length).toBeGreaterThan(0);
  });

  it("says what a context needs before there is a GPU to fill", async () => {
    const [short, long] = [await pipe.plan({ contextLength: 64 }), await pipe.plan({ contextLength: 256, batch: 2 })];
    expect(short.weights).toBe(pipe.model.memory.weights);
    expect(long.cache).toBeGreaterThan(short.cache ?? Infinity);
    expect(long.peak).toBeGreaterThan(long.weights + (long.cache ?? 0));
    await expect(pipe.plan({ contextLength: 257 })).rejects.toThrow(/contextLength: 1 to 256/);
  });

  it("ends its generations when disposed, even those that nobody waits for", async () => {
    const { gpu, release } = await leaseGpu();
    const other = await load(LLAMA);
    const before = gpu.memoryUse.live;
    const parked = other("Once upon", { ...greedy, maxNewTokens: 200 })[Symbol.asyncIterator]();
    await parked.next();
    const waiting = Promise.resolve(other("apple", greedy));
    const told = expect(waiting).rejects.toThrow(/disposed/);
    await other.dispose();
    await told;
    await expect(parked.next()).rejects.toThrow(/disposed/);
    await expect(Promise.resolve(other("apple", greedy))).rejects.toThrow(/disposed/);
    expect(gpu.memoryUse.live).toBeLessThan(before);
    release();
  });

  it("says so where the model computes NaN", async () => {
    const folder = await mkdtemp(join(tmpdir(), "kiln-nan-"));
    await cp(LLAMA, folder, { recursive: true });
    const weights = join(folder, "model.safetensors");
    const bytes = await readFile(weights);
    bytes.fill(0xff, bytes.length - 64); // f16 NaN
    await writeFile(weights, bytes);
    const damaged = await load(folder);
    await expect(Promise.resolve(damaged("apple", greedy))).rejects.toThrow(/NaN or Infinity: its weights are damaged/);
    await damaged.dispose();
    await rm(folder, { recursive: true });
  });
});
