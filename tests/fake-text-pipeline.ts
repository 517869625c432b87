// A scripted text generator for tests of what lies above pipelines: it says the prompt's words again, and records what is asked of it.
import { generation } from "../src/pipelines/generation.ts";
import type { TextGenerationOptions, TextGenerationResult, TextGenerator, TextInput, TextModelInfo, TextPiece } from "../src/pipelines/text-generation-types.ts";

export const fakeTextModel: TextModelInfo = {
  id: "storyteller",
  revision: "77aa",
  architecture: "llama",
  dtype: "f32",
  adapter: "a scripted one",
  vocabSize: 512,
  maxContext: 256,
  chat: true,
  defaults: { doSample: false, temperature: 1, topK: 50, topP: 1, repetitionPenalty: 1, noRepeatNgramSize: 0, maxNewTokens: null, minNewTokens: 0, endTokens: [2] },
  memory: { weights: 4_000_000, largestActivation: 100_000, peak: 5_000_000 },
  card: null,
};

/** What was asked of it. */
export interface FakeTextLog {
  readonly inputs: TextInput[];
  readonly options: TextGenerationOptions[];
  ended: number;
}

export function fakeTextLoader(): { readonly load: () => Promise<TextGenerator>; readonly log: FakeTextLog } {
  const log: FakeTextLog = { inputs: [], options: [], ended: 0 };

  async function* words(input: TextInput, options: TextGenerationOptions): AsyncGenerator<TextPiece, TextGenerationResult, void> {
    log.inputs.push(input);
    log.options.push(options);
    const [first] = typeof input === "string" ? [input] : input;
    const all = (typeof first === "string" ? first : String(first.content)).split(" ");
    const said = all.slice(0, options.maxNewTokens ?? all.length);
    const tokens = said.map((_, i) => 3 + i);
    const logProbs = (i: number) => {
      const one = { token: 3 + i, text: said[i], bytes: [...new TextEncoder().encode(said[i])], logProb: -0.5 };
      return options.topLogProbs === undefined ? undefined : [{ ...one, top: [one] }];
    };
    try {
      for (const [i, word] of said.entries()) {
        options.signal?.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve));
        yield { text: i === 0 ? word : ` ${word}`, tokens: [tokens[i]], index: 0, logProbs: logProbs(i) };
      }
    } finally {
      log.ended++;
    }
    const finishReason = said.length < all.length ? "length" : "stop";
    const text = { text: said.join(" "), tokens, promptTokens: [1, 5], finishReason, logProbs: options.topLogProbs === undefined ? undefined : said.flatMap((_, i) => logProbs(i) ?? []) } as const;
    const speed = { prefillSeconds: 0.01, decodeSeconds: 0.1, prefillTokensPerSecond: 200, decodeTokensPerSecond: tokens.length / 0.1 };
    return { ...text, sequences: [text], seed: 1n, warnings: [], usage: { promptTokens: 2, cachedTokens: 1, completionTokens: tokens.length, ...speed } };
  }

  const call = (input: TextInput, options: TextGenerationOptions = {}) => generation(words(input, options));
  return { log, load: async () => Object.assign(call, { model: fakeTextModel, plan: async () => fakeTextModel.memory, dispose: async () => {} }) };
}
