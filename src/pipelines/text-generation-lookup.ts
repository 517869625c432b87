// The token loop with prompt look-up: several proposed tokens pass through the model at once, and those that it would have chosen stay.
import { acceptGreedy, proposeContinuation } from "../sampling/prompt-lookup.ts";
import type { SampledToken } from "../sampling/token-log.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Decoding, forward } from "./text-generation-decode.ts";

/** How many tokens were guessed, and how many of them right. */
export interface GuessCount {
  guessed: number;
  accepted: number;
}

export interface LookupDecoding extends Omit<Decoding, "history" | "mask" | "mark" | "inFlight"> {
  /** All tokens of the text so far, those that were yielded included. */
  readonly history: () => readonly number[];
  /** Tokens to guess at a time. */
  readonly numTokens: number;
  readonly count: GuessCount;
}

/**
 * Chosen tokens of a single text, as `chosenTokens` gives them, from the prompt's logits [1, V] on. For a sampler without memory: greedy,
 * without penalties. Throws GpuError, and what `check` throws.
 */
export async function* lookedUpTokens(decoding: LookupDecoding, prompt: Tensor): AsyncGenerator<readonly SampledToken[], void, void> {
  const { model, cache, maxContext, mostTokens, history, numTokens, count, check } = decoding;
  yield await choose(decoding, prompt.reshape([1, 1, model.vocabSize]));
  for (let chosen = 1; chosen < mostTokens;) {
    check();
    const known = history();
    const room = Math.min(numTokens, maxContext - cache.length - 1, mostTokens - chosen - 1);
    const proposed = room > 0 ? proposeContinuation(known, { maxTokens: room }) : new Int32Array();
    const base = cache.length;
    const logits = forward(model, cache, [Int32Array.of(known[known.length - 1], ...proposed)], "all"); // [1, 1 + proposed, V]
    const choices = await choose(decoding, logits);
    const { accepted } = acceptGreedy(proposed, choices.map(({ token }) => token));
    cache.truncate(base + 1 + accepted);
    count.guessed += proposed.length;
    count.accepted += accepted;
    for (const choice of choices.slice(0, accepted + 1)) {
      chosen++;
      yield [choice];
    }
  }
}

/** The choice after each row of logits [1, T, V], which are disposed. */
function choose({ model, sampler, orAbort }: LookupDecoding, logits: Tensor): Promise<readonly SampledToken[]> {
  using _scope = model.gpu.scope();
  const [, tokens, vocabulary] = logits.shape;
  const from = sampler.log.length;
  for (let t = 0; t < tokens; t++) sampler.next(logits.slice(1, t, t + 1).reshape([1, vocabulary]));
  logits.dispose();
  return orAbort(sampler.log.read(from, from + tokens).then((rows) => rows.map(([row]) => row)));
}
