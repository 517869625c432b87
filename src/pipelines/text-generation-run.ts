// One generation from its request to its result: the cache of the last conversation as far as it fits, prefill, the token loop, and texts out.
import type { CausalLm } from "../architectures/causal-lm.ts";
import type { KvCache } from "../nn/kv-cache.ts";
import { CheckpointError } from "../nn/weights.ts";
import { Sampler } from "../sampling/sampler.ts";
import type { SampledToken, SamplingFault } from "../sampling/token-log.ts";
import { read, type Tensor } from "../tensor/tensor.ts";
import { ChoiceMasks, grammarOf } from "./choice-masks.ts";
import type { LanguageModelFiles } from "./language-model.ts";
import { chosenTokens, forward, IN_FLIGHT, prefill } from "./text-generation-decode.ts";
import { type GuessCount, lookedUpTokens } from "./text-generation-lookup.ts";
import { TextOutput } from "./text-generation-output.ts";
import type { TextRequest } from "./text-generation-request.ts";
import type { ChosenLogProb, FinishReason, GeneratedText, TextGenerationResult, TextPiece, TextUsage, TokenLogProb } from "./text-generation-types.ts";
import { TextMark } from "./text-mark.ts";
import { orAborted } from "./turns.ts";

/** Keys and values of the last conversation, and the tokens they belong to. */
export interface Conversation {
  readonly cache: KvCache;
  readonly tokens: readonly number[];
}

export interface TextRun {
  readonly request: TextRequest;
  readonly files: Pick<LanguageModelFiles, "tokenizer" | "defaults">;
  readonly model: CausalLm;
  readonly maxContext: number;
  /** The last conversation, taken over: kept again or disposed. */
  take(): Conversation | null;
  readonly disposed: AbortSignal;
  keep(conversation: Conversation): void;
}

const FAULTS: Readonly<Record<SamplingFault, string>> = {
  "not-a-number": 'the model computed NaN or Infinity: its weights are damaged, or its numbers pass f16\'s range (then load it with dtype "f32")',
  "nothing-allowed": "every token is forbidden: logitBias and the response format leave none",
};

/**
 * Pieces of text as they are certain, then the result. An abort by the caller's signal ends it with what there is; whoever leaves
 * early ends the work. Throws CheckpointError where the model computes NaN, GpuError, and the reason of `disposed`.
 */
export async function* runText(run: TextRun): AsyncGenerator<TextPiece, TextGenerationResult, void> {
  const { request, files, model, disposed, maxContext } = run;
  const { prompts, maxNewTokens, sampling } = request;
  const batch = prompts.length;
  const signal = request.signal ? AbortSignal.any([request.signal, disposed]) : disposed;
  const check = () => signal.throwIfAborted();
  const orAbort = <T>(promise: Promise<T>) => orAborted(promise, signal);
  const outputs = prompts.map(() => new TextOutput({
    stream: files.tokenizer.stream({ skipSpecialTokens: true }),
    endTokens: new Set(files.defaults.endTokens), stopStrings: request.stopStrings, maxNewTokens,
  }));
  const logProbs: ChosenLogProb[][] = prompts.map(() => []);
  const masked = { gpu: model.gpu, vocabSize: model.vocabSize, tokenizer: files.tokenizer, endTokens: files.defaults.endTokens };
  const grammar = await grammarOf(request.format, masked);
  const clock = new Clock();
  const sampler = new Sampler(model.gpu, { vocabSize: model.vocabSize, batch, ...sampling });
  const masks = new ChoiceMasks(masked, request, grammar);
  const mark = request.watermark && new TextMark(model.gpu, request.watermark, prompts);
  const guesses: GuessCount = { guessed: 0, accepted: 0 };
  let held: KvCache | null = null;
  let sound = true;
  let prompt: Tensor | null = null;
  let logits: TextGenerationResult["logits"];
  try {
    const { cache, cached } = beginCache(run);
    held = cache;
    if (request.returnFullText) for (const [index, text] of request.texts.entries()) yield { text, tokens: [], index };
    try {
      if (request.returnLogits) logits = await orAbort(promptLogits(model, cache, prompts[0]));
      sampler.begin(prompts);
      prompt = await prefill({ model, cache, check, orAbort }, padded(prompts, cached));
      const history = () => [...prompts[0], ...outputs[0].tokens];
      const decoding = { model, cache, sampler, maxContext, mostTokens: maxNewTokens, check, orAbort };
      const tokens = request.lookupTokens > 0
        ? lookedUpTokens({ ...decoding, history, numTokens: request.lookupTokens, count: guesses }, prompt)
        : chosenTokens({ ...decoding, history: request.slide ? history : null, inFlight: masks.each ? 1 : IN_FLIGHT, mask: () => masks.next(), mark }, prompt);
      for await (const row of tokens) {
        clock.read();
        for (const [index, chosen] of row.entries()) {
          const output = outputs[index];
          if (output.finishReason) continue;
          if (chosen.fault) {
            sound = false;
            throw new CheckpointError(FAULTS[chosen.fault]);
          }
          const text = output.push(chosen.token, masks.take(index, chosen.token));
          const more = sampling.topLogProbs === undefined ? undefined : [describe(chosen, files)];
          if (more) logProbs[index].push(...more);
          yield { text, tokens: [chosen.token], index, ...(more && { logProbs: more }) };
        }
        if (outputs.every(({ finishReason }) => finishReason)) break;
      }
    } catch (error) {
      if (disposed.aborted || !request.signal?.aborted || error !== request.signal.reason) throw error;
    }
    disposed.throwIfAborted();
    for (const [index, output] of outputs.entries()) {
      const text = output.end("abort");
      if (text !== "") yield { text, tokens: [], index };
    }
    const sequences = outputs.map(({ text, tokens, finishReason }, index): GeneratedText => ({
      text: request.returnFullText ? request.texts[index] + text : text,
      tokens,
      promptTokens: [...prompts[index]],
      finishReason: finishReason as FinishReason,
      ...(sampling.topLogProbs !== undefined && { logProbs: logProbs[index] }),
    }));
    return { ...sequences[0], sequences, seed: sampling.seed, warnings: [], usage: { ...usageOf(sequences, cached, clock), ...(request.lookupTokens > 0 && { guessedTokens: guesses.guessed, acceptedTokens: guesses.accepted }) }, ...(logits && { logits }) };
  } finally {
    prompt?.dispose();
    sampler.dispose();
    masks.dispose();
    mark?.dispose();
    if (held && sound) endCache(run, held, outputs[0].tokens);
    else held?.dispose();
  }
}

/** The cache with what of the prompt it holds already; the last token is always computed, for its logits. */
function beginCache({ request, model, maxContext, take }: TextRun): { cache: KvCache; cached: number } {
  const conversation = take();
  const { prompts, maxNewTokens, returnLogits } = request;
  const longest = Math.max(...prompts.map(({ length }) => length));
  const capacity = Math.min(maxContext, longest + Math.min(maxNewTokens, ROOM));
  if (conversation && prompts.length === 1) {
    const { cache, tokens } = conversation;
    const [prompt] = prompts;
    let same = 0;
    while (same < tokens.length && same < prompt.length - 1 && tokens[same] === prompt[same]) same++;
    cache.truncate(returnLogits ? 0 : same);
    cache.reserve(capacity - cache.length);
    return { cache, cached: cache.length };
  }
  conversation?.cache.dispose();
  const cache = model.newCache(prompts.length, { capacity });
  if (prompts.length > 1) cache.pad(prompts.map(({ length }) => longest - length));
  return { cache, cached: 0 };
}

/** Room that is made at first for new tokens; the cache grows from there. */
const ROOM = 1024;

/** Keeps the cache of a single text for the next one, up to the tokens that were read. */
function endCache({ request, keep, model, disposed }: TextRun, cache: KvCache, generated: readonly number[]): void {
  const usable = request.prompts.length === 1 && !request.slide && !disposed.aborted && !model.gpu.error;
  if (!usable) return cache.dispose();
  const tokens = [...request.prompts[0], ...generated];
  cache.truncate(Math.min(cache.length, tokens.length));
  keep({ cache, tokens: tokens.slice(0, cache.length) });
}

/** What is not yet in the cache, to one length: short prompts begin with padding. */
function padded(prompts: readonly Int32Array[], cached: number): Int32Array[] {
  const longest = Math.max(...prompts.map(({ length }) => length));
  return prompts.map((prompt) => {
    const row = new Int32Array(longest);
    row.set(prompt, longest - prompt.length);
    return row.subarray(cached);
  });
}

/** Logits [T, V] of a whole prompt, some tokens at a time. The cache is empty again afterwards. */
async function promptLogits(model: CausalLm, cache: KvCache, prompt: Int32Array): Promise<NonNullable<TextGenerationResult["logits"]>> {
  const { vocabSize } = model;
  const data = new Float32Array(prompt.length * vocabSize);
  const step = Math.max(1, Math.floor(2 ** 24 / vocabSize)); // at most 64 MiB of them
  for (let at = 0; at < prompt.length; at += step) {
    using logits = forward(model, cache, [prompt.subarray(at, at + step)], "all");
    data.set(await read(logits), at * vocabSize);
  }
  cache.truncate(0);
  return { shape: [prompt.length, vocabSize], data };
}

function describe({ token, logProb, top }: SampledToken, { tokenizer }: Pick<LanguageModelFiles, "tokenizer">): ChosenLogProb {
  const one = (id: number, value: number): TokenLogProb => ({ token: id, text: tokenizer.decode([id]), bytes: [...(tokenizer.tokenBytes(id) ?? [])], logProb: value });
  return { ...one(token, logProb ?? 0), top: top.map((other) => one(other.token, other.logProb)) };
}

/** When the first token was read, which is when the prompt is done, and the last. */
class Clock {
  readonly #started = performance.now();
  #first: number | null = null;
  #last: number | null = null;

  read(): void {
    this.#last = performance.now();
    this.#first ??= this.#last;
  }

  get prefillSeconds(): number {
    return ((this.#first ?? performance.now()) - this.#started) / 1000;
  }

  get decodeSeconds(): number {
    return this.#first === null || this.#last === null ? 0 : (this.#last - this.#first) / 1000;
  }
}

function usageOf(sequences: readonly GeneratedText[], cached: number, { prefillSeconds, decodeSeconds }: Clock): TextUsage {
  const sum = (of: (text: GeneratedText) => number) => sequences.reduce((total, text) => total + of(text), 0);
  const promptTokens = sum((text) => text.promptTokens.length);
  const completionTokens = sum((text) => text.tokens.length);
  const rate = (tokens: number, seconds: number) => (tokens > 0 && seconds > 0 ? tokens / seconds : null);
  const afterFirst = sum((text) => Math.max(0, text.tokens.length - 1));
  return {
    promptTokens, cachedTokens: cached, completionTokens, prefillSeconds, decodeSeconds,
    prefillTokensPerSecond: completionTokens > 0 ? rate(promptTokens - cached, prefillSeconds) : null,
    decodeTokensPerSecond: rate(afterFirst, decodeSeconds),
  };
}
