// chat.completions.create over a text generator: OpenAI's requests in, its answers or streamed pieces out.
import type { Chat, ChatCompletion, ChatCompletionChunk, ChatFinishReason, ChatLogprobs, ChatRequest, ChatUsage } from "./chat-types.ts";
import type { ChosenLogProb, FinishReason, ResponseFormat, TextGenerationOptions, TextGenerator, TextUsage, TokenLogProb } from "./text-generation-types.ts";

/** The chat face of a pipeline. */
export function chatOf(pipe: TextGenerator): Chat {
  function create(request: ChatRequest & { readonly stream: true }, options?: { readonly signal?: AbortSignal }): Promise<AsyncIterable<ChatCompletionChunk>>;
  function create(request: ChatRequest & { readonly stream?: false }, options?: { readonly signal?: AbortSignal }): Promise<ChatCompletion>;
  async function create(request: ChatRequest, options: { readonly signal?: AbortSignal } = {}): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>> {
    const choices = optionsOf(request, options.signal);
    return request.stream ? streamed(pipe, request, choices) : answered(pipe, request, choices);
  }
  return { completions: { create } };
}

/** The request as a pipeline's options. Throws RangeError for what is not supported. */
export function optionsOf(request: ChatRequest, signal?: AbortSignal): TextGenerationOptions {
  const { messages, temperature, top_p, stop, seed, logit_bias, tools } = request;
  if (!Array.isArray(messages) || messages.length === 0) throw new TypeError("messages: a list of { role, content } expected");
  if ((request.n ?? 1) !== 1) throw new RangeError(`n: 1 expected, got ${request.n}; ask again for another answer`);
  const maxNewTokens = request.max_completion_tokens ?? request.max_tokens ?? undefined;
  return {
    maxNewTokens,
    ...(temperature != null && (temperature === 0 ? { doSample: false } : { doSample: true, temperature })),
    ...(top_p != null && { topP: top_p, ...(temperature == null && { doSample: true }) }),
    presencePenalty: request.presence_penalty ?? undefined,
    frequencyPenalty: request.frequency_penalty ?? undefined,
    logitBias: logit_bias ?? undefined,
    seed: seed ?? undefined,
    stopStrings: stop == null ? undefined : typeof stop === "string" ? [stop] : stop,
    topLogProbs: request.logprobs ? (request.top_logprobs ?? 0) : undefined,
    responseFormat: formatOf(request),
    tools,
    signal,
  };
}

function formatOf({ response_format: format }: ChatRequest): ResponseFormat | undefined {
  if (format?.type !== "json_schema") return format;
  return { type: "json_schema", schema: format.json_schema.schema ?? {} };
}

async function answered(pipe: TextGenerator, request: ChatRequest, options: TextGenerationOptions): Promise<ChatCompletion> {
  const head = headOf(pipe, request);
  const { text, finishReason, usage, logProbs } = await pipe(request.messages, options);
  options.signal?.throwIfAborted(); // as OpenAI's clients do; who wants what there was streams
  const message = { role: "assistant", content: text } as const;
  const choice = { index: 0, message, logprobs: logProbs ? logprobsOf(logProbs) : null, finish_reason: reasonOf(finishReason) };
  return { ...head, object: "chat.completion", choices: [choice], usage: usageOf(usage) };
}

async function* streamed(pipe: TextGenerator, request: ChatRequest, options: TextGenerationOptions): AsyncGenerator<ChatCompletionChunk, void, void> {
  const head = { ...headOf(pipe, request), object: "chat.completion.chunk" } as const;
  const choice = { index: 0, delta: {}, logprobs: null, finish_reason: null };
  const work = pipe(request.messages, options);
  yield { ...head, choices: [{ ...choice, delta: { role: "assistant", content: "" } }] };
  for await (const { text, logProbs } of work) {
    if (text !== "" || logProbs) yield { ...head, choices: [{ ...choice, delta: { content: text }, logprobs: logProbs ? logprobsOf(logProbs) : null }] };
  }
  const { finishReason, usage } = await work;
  options.signal?.throwIfAborted();
  yield { ...head, choices: [{ ...choice, finish_reason: reasonOf(finishReason) }] };
  if (request.stream_options?.include_usage) yield { ...head, choices: [], usage: usageOf(usage) };
}

function headOf(pipe: TextGenerator, request: ChatRequest): Pick<ChatCompletion, "id" | "created" | "model"> {
  return { id: `chatcmpl-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model: request.model ?? pipe.model.id };
}

function reasonOf(reason: FinishReason): ChatFinishReason {
  return reason === "length" ? "length" : "stop";
}

function usageOf(usage: TextUsage): ChatUsage {
  const { promptTokens: prompt_tokens, completionTokens: completion_tokens, cachedTokens: cached_tokens } = usage;
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens },
    extra: { prefill_tokens_per_s: usage.prefillTokensPerSecond, decode_tokens_per_s: usage.decodeTokensPerSecond },
  };
}

function logprobsOf(tokens: readonly ChosenLogProb[]): ChatLogprobs {
  const one = ({ text: token, bytes, logProb: logprob }: TokenLogProb) => ({ token, bytes, logprob });
  return { content: tokens.map((token) => ({ ...one(token), top_logprobs: token.top.map(one) })) };
}
