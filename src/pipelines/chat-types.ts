// chat.completions.create as OpenAI's clients shape it: requests, answers and streamed pieces.
import type { ChatMessage } from "./text-generation-types.ts";

export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  /** Told back in the answer; the pipeline's model is used whatever it says. */
  readonly model?: string;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly max_tokens?: number | null;
  readonly max_completion_tokens?: number | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly presence_penalty?: number | null;
  readonly frequency_penalty?: number | null;
  readonly logit_bias?: Readonly<Record<string, number>> | null;
  readonly seed?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly logprobs?: boolean | null;
  readonly top_logprobs?: number | null;
  readonly n?: number | null;
  readonly response_format?: ChatResponseFormat;
  readonly tools?: readonly unknown[];
}

export type ChatResponseFormat =
  | { readonly type: "text" }
  | { readonly type: "json_object" }
  | { readonly type: "json_schema"; readonly json_schema: { readonly name?: string; readonly schema?: unknown; readonly strict?: boolean | null } };

export type ChatFinishReason = "stop" | "length";

export interface ChatUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
  /** Not OpenAI's: tokens a second. */
  readonly extra: { readonly prefill_tokens_per_s: number | null; readonly decode_tokens_per_s: number | null };
}

export interface ChatLogprob {
  readonly token: string;
  readonly bytes: readonly number[];
  readonly logprob: number;
  readonly top_logprobs: readonly { readonly token: string; readonly bytes: readonly number[]; readonly logprob: number }[];
}

export interface ChatLogprobs {
  readonly content: readonly ChatLogprob[];
}

export interface ChatCompletion {
  readonly id: string;
  readonly object: "chat.completion";
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly message: { readonly role: "assistant"; readonly content: string };
    readonly logprobs: ChatLogprobs | null;
    readonly finish_reason: ChatFinishReason;
  }[];
  readonly usage: ChatUsage;
}

export interface ChatCompletionChunk {
  readonly id: string;
  readonly object: "chat.completion.chunk";
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly delta: { readonly role?: "assistant"; readonly content?: string };
    readonly logprobs: ChatLogprobs | null;
    readonly finish_reason: ChatFinishReason | null;
  }[];
  /** With the last piece, where `stream_options.include_usage` asked for it. */
  readonly usage?: ChatUsage;
}

export interface Chat {
  readonly completions: {
    create(request: ChatRequest & { readonly stream: true }, options?: { readonly signal?: AbortSignal }): Promise<AsyncIterable<ChatCompletionChunk>>;
    create(request: ChatRequest & { readonly stream?: false }, options?: { readonly signal?: AbortSignal }): Promise<ChatCompletion>;
  };
}
