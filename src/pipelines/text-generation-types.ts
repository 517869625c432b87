// What text generation takes and gives: plain data that crosses a worker's boundary unchanged.
import type { ChatMessage } from "../formats/chat-template.ts";
import type { SamplingOptions } from "../sampling/options.ts";
import type { WatermarkOptions } from "../sampling/watermark.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Generation, MemoryPlan, ModelCard, PipelineOptions } from "./types.ts";

export type { ChatMessage } from "../formats/chat-template.ts";
export type { SamplingOptions } from "../sampling/options.ts";
export type { WatermarkOptions } from "../sampling/watermark.ts";

/** A text to continue, several of them at once, or a conversation to answer. */
export type TextInput = string | readonly string[] | readonly ChatMessage[];

/** How the text has to look: any JSON, JSON of a schema, or what a regular expression matches as a whole. */
export type ResponseFormat =
  | { readonly type: "text" }
  | { readonly type: "json_object" }
  | { readonly type: "json_schema"; readonly schema: unknown }
  | { readonly type: "regex"; readonly pattern: string };

/** How the next token is picked (the model's generation_config.json comes before the defaults), when to end, what else to give. */
export interface TextGenerationOptions extends SamplingOptions {
  /** At most so many tokens; default: the model's own, or 256, as far as its context has room. */
  readonly maxNewTokens?: number;
  /** End tokens are not picked before so many. */
  readonly minNewTokens?: number;
  /** The text ends before the first of these; none of it is shown. */
  readonly stopStrings?: readonly string[];
  /** Let the text begin with the prompt; for prompts only. */
  readonly returnFullText?: boolean;
  readonly responseFormat?: ResponseFormat;
  /** A longer conversation than the context holds: an error, or forget its beginning. Default "error". */
  readonly contextFull?: "error" | "slide";
  /** Guess tokens from repetitions in the text so far and check several at once: the same greedy text, sooner. */
  readonly promptLookup?: { readonly numTokens: number };
  /** Mark the text with the green list of a key (arXiv 2301.10226), by which it is recognised. */
  readonly watermark?: WatermarkOptions;
  /** Go on with the last message instead of answering it; for conversations. */
  readonly continueFinalMessage?: boolean;
  /** Functions that the template tells the model of; for conversations. */
  readonly tools?: readonly unknown[];
  /** Other variables that the template reads, such as { enable_thinking: false }; for conversations. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  /** Also give the prompt's logits [T, V]; for a single prompt. */
  readonly returnLogits?: boolean;
  readonly signal?: AbortSignal;
}

/** A token with its log-probability under the model's own logits, before any sampling option; where `topLogProbs` asked for it. */
export interface TokenLogProb {
  readonly token: number;
  /** Its text by itself; half a character is U+FFFD. */
  readonly text: string;
  /** Its bytes; none for special tokens. */
  readonly bytes: readonly number[];
  readonly logProb: number;
}

/** A chosen token, and the likeliest in its place. */
export interface ChosenLogProb extends TokenLogProb {
  readonly top: readonly TokenLogProb[];
}

/** A piece of text as it comes: whole characters, never part of a stop string. */
export interface TextPiece {
  readonly text: string;
  /** The tokens read since the last piece of this text; a character may need several. */
  readonly tokens: readonly number[];
  /** Which of several prompts it continues. */
  readonly index: number;
  readonly logProbs?: readonly ChosenLogProb[];
}

/** Why a text ended: an end token, a stop string, no more tokens allowed, or the signal. */
export type FinishReason = "stop" | "stop-string" | "length" | "abort";

/** What a prompt became. */
export interface GeneratedText {
  readonly text: string;
  /** The generated tokens, an end token included. */
  readonly tokens: readonly number[];
  readonly promptTokens: readonly number[];
  readonly finishReason: FinishReason;
  readonly logProbs?: readonly ChosenLogProb[];
}

/** Counts over all prompts, and how fast. */
export interface TextUsage {
  readonly promptTokens: number;
  /** Of these, so many were still in the cache from the last conversation. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly prefillSeconds: number;
  readonly decodeSeconds: number;
  /** Null where nothing was to be done, or too little to tell. */
  readonly prefillTokensPerSecond: number | null;
  readonly decodeTokensPerSecond: number | null;
  /** Guessed tokens and how many of them were right, where `promptLookup` asked for it. */
  readonly guessedTokens?: number;
  readonly acceptedTokens?: number;
}

/** The text of the first (mostly the only) prompt, and of all. */
export interface TextGenerationResult extends GeneratedText {
  readonly sequences: readonly GeneratedText[];
  readonly seed: bigint;
  readonly usage: TextUsage;
  readonly warnings: readonly string[];
  /** Row by row, where `returnLogits` asked for it. */
  readonly logits?: { readonly shape: readonly [tokens: number, vocabulary: number]; readonly data: Float32Array<ArrayBuffer> };
}

export interface TextLoadOptions extends PipelineOptions {
  /** Pack the matrices of a model that is stored in plain numbers: 8 bits, or 4 bits in blocks of 32. Default "none". */
  readonly quantize?: "none" | "q8" | "q4";
  /** Tokens that the context may hold, at most what the model was made for (the default). */
  readonly maxContext?: number;
}

/** What decides a generation's memory. */
export interface TextPlanSize {
  /** Tokens of context; default: what a first conversation gets. */
  readonly contextLength?: number;
  readonly batch?: number;
}

/** What a page shows of a language model. */
export interface TextModelInfo {
  readonly id: string;
  readonly revision: string;
  /** `model_type` of its config: "llama". */
  readonly architecture: string;
  readonly dtype: DType;
  readonly adapter: string;
  readonly vocabSize: number;
  /** Tokens that its context holds. */
  readonly maxContext: number;
  /** Whether it has a chat template. */
  readonly chat: boolean;
  /** Its own defaults, from generation_config.json. */
  readonly defaults: TextDefaults;
  readonly memory: MemoryPlan;
  readonly card: ModelCard | null;
}

export interface TextDefaults {
  readonly doSample: boolean;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP?: number;
  readonly typicalP?: number;
  readonly repetitionPenalty: number;
  readonly noRepeatNgramSize: number;
  /** Null where the model states none. */
  readonly maxNewTokens: number | null;
  readonly minNewTokens: number;
  readonly endTokens: readonly number[];
}

/** What a loaded text-generation pipeline can tell and do, wherever it runs. */
export interface TextGenerator {
  (input: TextInput, options?: TextGenerationOptions): Generation<TextPiece, TextGenerationResult>;
  readonly model: TextModelInfo;
  /** What a context of this size would need. */
  plan(size?: TextPlanSize): Promise<MemoryPlan>;
  /** Ends what runs and frees all that it holds. */
  dispose(): Promise<void>;
}
