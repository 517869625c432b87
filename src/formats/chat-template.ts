// Chat templates: Jinja that turns messages into a model's prompt, by @huggingface/jinja, rendered as transformers'
// apply_chat_template does. A template comes with a checkpoint, so from anyone: its work and its output are bounded.
import { parse, tokenize } from "@huggingface/jinja";
import { FormatError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";
import { BoundedInterpreter, globals } from "./jinja.ts";

export interface ChatMessage {
  readonly role: string;
  /** Text, or parts as the template knows them ({ type: "text", text }). */
  readonly content?: unknown;
  readonly [field: string]: unknown; // name, tool_calls, reasoning_content …
}

export interface RenderOptions {
  /** Whether the beginning of the assistant's answer follows. Default false. */
  addGenerationPrompt?: boolean;
  /** Tools as JSON schemas, in OpenAI's form; only some templates know them. */
  tools?: readonly unknown[];
  documents?: readonly unknown[];
  /** Other variables that the template reads, e.g. { enable_thinking: false }. */
  variables?: Readonly<Record<string, unknown>>;
  /** What strftime_now tells; for tests. */
  now?: Date;
}

const maxSource = 0x4_0000; // characters; published templates have up to 20,000
const maxBlank = 1000; // in a row: the lexer searches back and forth through them

/** A parsed template. */
export class ChatTemplate {
  readonly source: string;
  readonly #program: ReturnType<typeof parse>;
  readonly #tokens: Readonly<Record<string, string>>;

  /** `specialTokens`: what a template calls bos_token, eos_token … Throws FormatError for a template that cannot be parsed. */
  constructor(source: string, specialTokens: Readonly<Record<string, string>> = {}) {
    if (source.length > maxSource) throw new FormatError(`the chat template has ${source.length} characters; up to ${maxSource} are supported`);
    if (new RegExp(`\\s{${maxBlank}}`).test(source)) throw new FormatError(`the chat template has more than ${maxBlank} blanks in a row`);
    this.source = source;
    this.#tokens = specialTokens;
    this.#program = guarded("cannot be parsed", () => parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })));
  }

  /**
   * The prompt. Throws FormatError with the template's own words where it refuses the messages (raise_exception), and where
   * it takes more than some millions of steps or makes more than some millions of characters.
   */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    if (messages.length === 0) throw new FormatError("a chat needs at least one message");
    return guarded("failed", () => {
      const interpreter = new BoundedInterpreter(globals({
        ...this.#tokens,
        ...options.variables,
        messages: messages.map(plainMessage),
        tools: options.tools ?? null,
        documents: options.documents ?? null,
        add_generation_prompt: options.addGenerationPrompt === true,
      }, options.now ?? new Date()), this.#program);
      return interpreter.text();
    });
  }
}

/** As transformers passes a message: fields without a value are dropped, and reasoning is found under each of its names. */
function plainMessage(message: ChatMessage): Record<string, unknown> {
  const plain = Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null && value !== undefined));
  const reasoning = plain.reasoning_content ?? plain.thinking ?? plain.reasoning;
  return reasoning === undefined ? plain : { thinking: reasoning, ...plain, reasoning_content: reasoning };
}

function guarded<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const deep = error instanceof RangeError && /call stack/i.test(error.message);
    throw new FormatError(`the chat template ${what}: ${deep ? "it nests too deep" : error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * The template among what a folder has: chat_template.jinja first, then tokenizer_config.json's chat_template (one, or a list
 * of named ones: "tool_use" where there are tools, else "default"). null where there is none. Throws FormatError.
 */
export function pickChatTemplate(jinja: string | null, config: JsonObject | null, { tools = false, name }: { tools?: boolean; name?: string } = {}): string | null {
  const stated = config?.chat_template;
  const named = new Map<string, string>();
  if (typeof stated === "string") named.set("default", stated);
  for (const entry of Array.isArray(stated) ? stated : []) {
    if (!isObject(entry) || typeof entry.name !== "string" || typeof entry.template !== "string") throw new FormatError("chat_template: a list of { name, template } expected");
    named.set(entry.name, entry.template);
  }
  if (jinja !== null) named.set("default", jinja);
  if (name !== undefined) {
    const chosen = named.get(name);
    if (chosen === undefined) throw new FormatError(`there is no chat template "${name}": ${[...named.keys()].join(", ") || "there is none at all"}`);
    return chosen;
  }
  const chosen = (tools ? named.get("tool_use") : undefined) ?? named.get("default");
  if (chosen === undefined && named.size > 0) throw new FormatError(`several chat templates and none is the default: ${[...named.keys()].join(", ")}`);
  return chosen ?? null;
}
