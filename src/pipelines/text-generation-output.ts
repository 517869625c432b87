// One text on its way out: tokens become characters, end tokens and stop strings end it, and nothing past a stop string is shown.
import type { TextStream } from "../formats/generation-tokenizer.ts";
import type { FinishReason } from "./text-generation-types.ts";

export interface OutputOptions {
  /** Characters from tokens, special ones left out. */
  readonly stream: Pick<TextStream, "push" | "end">;
  readonly endTokens: ReadonlySet<number>;
  readonly stopStrings: readonly string[];
  readonly maxNewTokens: number;
}

export class TextOutput {
  /** What was shown so far. */
  text = "";
  readonly tokens: number[] = [];
  finishReason: FinishReason | null = null;
  /** Characters that may begin a stop string. */
  #held = "";

  constructor(private readonly options: OutputOptions) {}

  /** Takes the next token and gives the text that is certain; `complete` where none may follow it. Nothing once it has ended. */
  push(token: number, complete = false): string {
    if (this.finishReason) return "";
    const { stream, endTokens, maxNewTokens } = this.options;
    this.tokens.push(token);
    if (endTokens.has(token)) return this.#finish("stop");
    const shown = this.#show(stream.push([token]));
    if (this.finishReason || !(complete || this.tokens.length >= maxNewTokens)) return shown;
    return shown + this.#finish(complete ? "stop" : "length");
  }

  /** Ends it from outside, and gives what was held back. */
  end(reason: FinishReason): string {
    return this.finishReason ? "" : this.#finish(reason);
  }

  #finish(reason: FinishReason): string {
    const shown = this.#show(this.options.stream.end());
    if (this.finishReason) return shown; // the last characters completed a stop string
    this.finishReason = reason;
    const rest = this.#held;
    this.#held = "";
    this.text += rest;
    return shown + rest;
  }

  /** Shows all but what could still become a stop string. */
  #show(more: string): string {
    const candidate = this.#held + more;
    const found = this.options.stopStrings.map((stop) => candidate.indexOf(stop)).filter((at) => at >= 0);
    const end = found.length > 0 ? Math.min(...found) : candidate.length - longestStart(candidate, this.options.stopStrings);
    this.#held = found.length > 0 ? "" : candidate.slice(end);
    if (found.length > 0) this.finishReason = "stop-string";
    const shown = candidate.slice(0, end);
    this.text += shown;
    return shown;
  }
}

/** The most characters at the end of a text with which one of the strings begins. */
function longestStart(text: string, strings: readonly string[]): number {
  let longest = 0;
  for (const string of strings) {
    for (let length = Math.min(string.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(string.slice(0, length))) longest = length;
    }
  }
  return longest;
}
