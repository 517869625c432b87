// A call of text generation with every default filled in and every value checked.
import type { ChatTemplate } from "../formats/chat-template.ts";
import type { GenerationTokenizer } from "../formats/generation-tokenizer.ts";
import type { SamplingOptions } from "../sampling/options.ts";
import type { WatermarkOptions } from "../sampling/watermark.ts";
import type { ChatMessage, ResponseFormat, TextDefaults, TextGenerationOptions, TextInput } from "./text-generation-types.ts";

export interface TextRequest {
  /** The text that the model continues, one each, and its tokens. */
  readonly texts: readonly string[];
  readonly prompts: readonly Int32Array[];
  readonly sampling: SamplingOptions & { readonly seed: bigint };
  readonly maxNewTokens: number;
  readonly minNewTokens: number;
  readonly stopStrings: readonly string[];
  readonly returnFullText: boolean;
  readonly format: Exclude<ResponseFormat, { readonly type: "text" }> | null;
  readonly slide: boolean;
  readonly lookupTokens: number;
  readonly watermark: WatermarkOptions | null;
  readonly returnLogits: boolean;
  readonly signal?: AbortSignal;
}

/** What the model brings to a call. */
export interface RequestModel {
  readonly tokenizer: GenerationTokenizer;
  /** The template for a conversation, with tools or without; null where there is none. */
  template(tools: boolean): ChatTemplate | null;
  readonly defaults: TextDefaults;
  readonly maxContext: number;
}

const DEFAULT_NEW_TOKENS = 256;

/** Throws TypeError for what is no prompt, RangeError naming an option that does not fit, FormatError where a template refuses the messages. */
export function readTextRequest(input: TextInput, options: TextGenerationOptions, model: RequestModel): TextRequest {
  const { defaults, maxContext } = model;
  const { texts, prompts } = promptsOf(input, options, model);
  const longest = Math.max(...prompts.map((prompt) => prompt.length));
  const slide = oneOf("contextFull", options.contextFull ?? "error", ["error", "slide"]) === "slide";
  if (longest >= maxContext) {
    throw new RangeError(`prompt: it has ${longest} tokens, and the context holds ${maxContext}, the answer included; shorten it`);
  }
  const room = slide ? Infinity : maxContext - longest;
  const maxNewTokens = count("maxNewTokens", options.maxNewTokens ?? Math.min(defaults.maxNewTokens ?? DEFAULT_NEW_TOKENS, room), 1);
  if (maxNewTokens > room) {
    throw new RangeError(`maxNewTokens: ${maxNewTokens} after a prompt of ${longest} tokens do not fit the context of ${maxContext}; ask for at most ${room}, or pass contextFull: "slide"`);
  }
  if (slide && prompts.length > 1) throw new RangeError('contextFull: "slide" is for one prompt at a time');
  const returnLogits = options.returnLogits ?? false;
  if (returnLogits && prompts.length > 1) throw new RangeError("returnLogits: for one prompt at a time");
  const sampling = samplingOf(options, defaults);
  const minNewTokens = count("minNewTokens", options.minNewTokens ?? defaults.minNewTokens, 0);
  const format = formatOf(options.responseFormat);
  const lookupTokens = options.promptLookup ? count("promptLookup.numTokens", options.promptLookup.numTokens, 1) : 0;
  if (lookupTokens > 0) {
    const { doSample, repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, noRepeatNgramSize = 0 } = sampling;
    const plain = !doSample && repetitionPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0 && noRepeatNgramSize === 0;
    if (!plain || prompts.length > 1 || slide || format || minNewTokens > 0 || options.watermark) {
      throw new RangeError("promptLookup: for one prompt at a time, greedy (doSample: false), without penalties, response format, minNewTokens, watermark or sliding context");
    }
  }
  return {
    texts,
    prompts,
    sampling,
    maxNewTokens,
    minNewTokens,
    stopStrings: stopsOf(options.stopStrings ?? []),
    returnFullText: options.returnFullText ?? false,
    format,
    slide,
    lookupTokens,
    watermark: options.watermark ?? null,
    returnLogits,
    signal: options.signal,
  };
}

/** The options given by the caller win; the warpers are the sampler's to check. */
function samplingOf(options: TextGenerationOptions, defaults: TextDefaults): TextRequest["sampling"] {
  const { doSample, temperature, topK, topP, minP, typicalP, repetitionPenalty, noRepeatNgramSize } = defaults;
  const own = { doSample, temperature, topK, topP, minP, typicalP, repetitionPenalty, noRepeatNgramSize };
  const given = {
    ...{ doSample: options.doSample, temperature: options.temperature, topK: options.topK, topP: options.topP, minP: options.minP, typicalP: options.typicalP },
    ...{ repetitionPenalty: options.repetitionPenalty, presencePenalty: options.presencePenalty, frequencyPenalty: options.frequencyPenalty },
    ...{ noRepeatNgramSize: options.noRepeatNgramSize, logitBias: options.logitBias, topLogProbs: options.topLogProbs },
  };
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null));
  return { ...own, ...stated, seed: seedOf(options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]) };
}

function promptsOf(input: TextInput, options: TextGenerationOptions, model: RequestModel): { texts: string[]; prompts: Int32Array[] } {
  const { tokenizer } = model;
  if (isConversation(input)) {
    const text = conversation(input, options, model);
    const prompt = tokenizer.encode(text, { addSpecialTokens: false }); // the template writes them
    if (prompt.length === 0) throw new RangeError("messages: the template makes no text of them");
    return { texts: [text], prompts: [prompt] };
  }
  const texts = typeof input === "string" ? [input] : [...input];
  if (texts.length === 0) throw new RangeError("prompt: at least one expected");
  const prompts = texts.map((text) => {
    const prompt = tokenizer.encode(text);
    if (text === "" || prompt.length === 0) throw new RangeError("prompt: it is empty; write at least a word");
    return prompt;
  });
  return { texts, prompts };
}

/** Throws TypeError for anything but texts and messages. */
function isConversation(input: TextInput): input is readonly ChatMessage[] {
  if (typeof input === "string") return false;
  const list: readonly unknown[] = Array.isArray(input) ? input : [];
  if (Array.isArray(input) && list.every((item) => typeof item === "string")) return false;
  const isMessage = (item: unknown) => typeof item === "object" && item !== null && "role" in item && typeof item.role === "string";
  if (list.length > 0 && list.every(isMessage)) return true;
  throw new TypeError("prompt: a text, a list of texts, or a list of messages { role, content } expected");
}

function conversation(messages: readonly ChatMessage[], options: TextGenerationOptions, model: RequestModel): string {
  const template = model.template((options.tools?.length ?? 0) > 0);
  if (template === null) throw new RangeError("messages: this model has no chat template, so it knows no conversations; give it a text to continue");
  const { tools, templateVariables: variables } = options;
  if (!options.continueFinalMessage) return template.render(messages, { addGenerationPrompt: true, tools, variables });
  const { content } = messages[messages.length - 1];
  if (typeof content !== "string" || content.trim() === "") throw new RangeError("continueFinalMessage: the last message has no text to go on with");
  const whole = template.render(messages, { tools, variables });
  const at = whole.lastIndexOf(content.trim());
  if (at < 0) throw new RangeError("continueFinalMessage: the template changes the last message, so it cannot be continued");
  return whole.slice(0, at) + content.trimStart(); // what the template puts after it would end it
}

function formatOf(format: ResponseFormat | undefined): TextRequest["format"] {
  if (format === undefined || format.type === "text") return null;
  oneOf("responseFormat.type", format.type, ["json_object", "json_schema", "regex"]);
  return format;
}

function stopsOf(stops: readonly string[]): readonly string[] {
  if (Array.isArray(stops) && stops.every((stop) => typeof stop === "string" && stop !== "")) return stops;
  throw new TypeError("stopStrings: a list of texts expected, none of them empty");
}

function seedOf(seed: number | bigint): bigint {
  const whole = typeof seed === "bigint" || Number.isSafeInteger(seed);
  if (whole && seed >= 0 && BigInt(seed) < 2n ** 64n) return BigInt(seed);
  throw new RangeError(`seed: a whole number from 0 to 2^64 - 1 expected (a bigint above 2^53), got ${String(seed)}`);
}

function count(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`${name}: a whole number of at least ${least} expected, got ${String(value)}`);
}

function oneOf<const T extends string>(name: string, value: string, words: readonly T[]): T {
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw new RangeError(`${name}: ${words.map((word) => `"${word}"`).join(" or ")} expected, got ${JSON.stringify(value)}`);
}
