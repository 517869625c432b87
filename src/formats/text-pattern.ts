// Patterns of tokenizer.json: a literal string, or a regular expression in Oniguruma's syntax, which @huggingface/tokenizers
// rewrites into JavaScript's; and the five ways in which Hugging Face's tokenizers cuts a text at its matches (pattern.rs).
import { SplitPreTokenizer } from "@huggingface/tokenizers";
import { FormatError } from "./errors.ts";
import { isObject } from "./json.ts";

/** Compiles { String } or { Regex }. Throws FormatError for one that is malformed, or that could take exponential time. */
export function readPattern(value: unknown): RegExp {
  if (isObject(value) && typeof value.String === "string") return new RegExp(value.String.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gu");
  if (!isObject(value) || typeof value.Regex !== "string") throw new FormatError(`a pattern is neither String nor Regex: ${JSON.stringify(value)}`);
  const source = value.Regex;
  if (source.length > 10_000) throw new FormatError(`a regular expression of ${source.length} characters is not supported`);
  refuseNestedRepeats(source);
  let pattern: RegExp | null;
  try {
    ({ pattern } = new SplitPreTokenizer({ type: "Split", pattern: { Regex: longS(source) }, behavior: "Isolated", invert: false }));
  } catch (error) {
    throw new FormatError(`the regular expression ${JSON.stringify(source)} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (pattern === null) throw new FormatError(`the regular expression ${JSON.stringify(source)} cannot be read`);
  return pattern;
}

/** The contractions of GPT-4 and its followers: without case, Oniguruma takes the long s (ſ) for an s, which the rewriting forgets. */
function longS(source: string): string {
  return source.replace(/\(\?i:((?:'[a-z]+\|?)+)\)/g, (_, words: string) => `(?i:${words.replace(/s/g, "[s\\x{17f}]")})`);
}

/** A repeat without end inside a repeat without end can take exponential time: a page must not hang on it. */
function refuseNestedRepeats(source: string): void {
  const repeats = [false]; // of each open group: whether it holds a repeat without end
  for (let at = 0; at < source.length; at++) {
    let held = false; // by what ends here
    if (source[at] === "\\") {
      at++;
      const braced = /^[pPxu]\{[^}]*\}/.exec(source.slice(at, at + 64));
      if (braced !== null) at += braced[0].length - 1;
    } else if (source[at] === "[") {
      at = endOfClass(source, at);
    } else if (source[at] === "(") {
      repeats.push(false);
      continue;
    } else if (source[at] === ")") {
      held = repeats.length > 1 && repeats.pop() === true;
    } else if (source[at] === "|") {
      continue;
    }
    const endless = /^(?:[*+]|\{\d*,\})/.test(source.slice(at + 1, at + 16));
    if (endless && held) throw new FormatError(`the regular expression ${JSON.stringify(source)} repeats a repeat without end, which is not supported`);
    if (endless || held) repeats[repeats.length - 1] = true;
  }
}

function endOfClass(source: string, start: number): number {
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    if (source[at] === "\\") at++;
    else if (source[at] === "[") depth++;
    else if (source[at] === "]" && --depth === 0) return at;
  }
  return source.length;
}

export type SplitBehavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

/** Cuts a text at the matches of a pattern (`invert`: at what lies between them). No empty pieces. */
export function splitAt(text: string, pattern: RegExp, behavior: SplitBehavior, invert = false): string[] {
  const parts: { text: string; match: boolean }[] = [];
  let done = 0;
  for (const found of text.matchAll(pattern)) {
    if (found.index > done) parts.push({ text: text.slice(done, found.index), match: invert });
    if (found[0] !== "") parts.push({ text: found[0], match: !invert });
    done = found.index + found[0].length;
  }
  if (done < text.length) parts.push({ text: text.slice(done), match: invert });
  if (behavior === "Removed") return parts.filter(({ match }) => !match).map((part) => part.text);
  if (behavior === "Isolated") return parts.map((part) => part.text);
  const out: string[] = [];
  const forward = behavior !== "MergedWithNext";
  let before: boolean | null = null;
  for (const { text: piece, match } of forward ? parts : parts.reverse()) {
    const joins = behavior === "Contiguous" ? match === before : match && before === false;
    if (joins) out.push(forward ? `${out.pop() ?? ""}${piece}` : `${piece}${out.pop() ?? ""}`);
    else out.push(piece);
    before = match;
  }
  return forward ? out : out.reverse();
}
