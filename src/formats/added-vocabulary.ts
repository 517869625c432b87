// Added tokens: found in the text before anything else looks at it, as Hugging Face's tokenizers does (added_vocabulary.rs):
// the leftmost match, there the longest; a token may take the space around it, or hold only as a whole word.
import { FormatError } from "./errors.ts";
import { isObject } from "./json.ts";

export interface AddedEntry {
  readonly id: number;
  readonly content: string;
  /** Special tokens are left out of a decoded text where that is asked for, and can be kept from being found. */
  readonly special: boolean;
  /** Looked for in the normalized text (as its own normal form) instead of in the text as it is. */
  readonly normalized: boolean;
  /** Whether the space before it (lstrip) or after it (rstrip) belongs to it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Whether it must not touch a letter or digit. */
  readonly singleWord: boolean;
}

/** Reads one entry of tokenizer.json's added_tokens, or of added_tokens_decoder where `id` is the key. Throws FormatError. */
export function readAddedEntry(value: unknown, id: unknown): AddedEntry {
  if (!isObject(value) || typeof value.content !== "string") throw new FormatError(`an added token is no text: ${JSON.stringify(value)}`);
  if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 0xff_ffff) throw new FormatError(`the added token "${value.content}" has the id ${JSON.stringify(id)}`);
  const special = value.special === true;
  return {
    id, special,
    content: value.content,
    normalized: value.normalized === undefined ? !special : value.normalized === true,
    lstrip: value.lstrip === true,
    rstrip: value.rstrip === true,
    singleWord: value.single_word === true,
  };
}

const space = /\p{White_Space}/u;
const wordBefore = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]$/u;
const wordAfter = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]/u;

/** Splits texts at added tokens. */
export class AddedSplitter {
  readonly #root: Node = { next: new Map(), entry: null };

  /** `form` says how a token's content is looked for. */
  constructor(entries: Iterable<AddedEntry>, form: (content: string) => string = (content) => content) {
    for (const entry of entries) {
      let node = this.#root;
      const text = form(entry.content);
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        let next = node.next.get(unit);
        if (next === undefined) node.next.set(unit, (next = { next: new Map(), entry: null }));
        node = next;
      }
      if (text !== "") node.entry = entry;
    }
  }

  /** Stretches of text with where they begin, and ids, in order; no empty text. Tokens that `found` refuses stay text. */
  split(text: string, found: (entry: AddedEntry) => boolean): (number | { text: string; start: number })[] {
    const parts: (number | { text: string; start: number })[] = [];
    let done = 0;
    for (let at = 0; at < text.length; ) {
      const match = this.#longest(text, at);
      if (match === null) {
        at++;
        continue;
      }
      let [start, end] = [at, match.end];
      at = match.end;
      const { entry } = match;
      if (!found(entry) || (entry.singleWord && (wordBefore.test(text.slice(Math.max(0, start - 2), start)) || wordAfter.test(text.slice(end, end + 2))))) continue;
      if (entry.lstrip) while (start > done && space.test(text[start - 1])) start--;
      if (entry.rstrip) while (end < text.length && space.test(text[end])) end++;
      if (start > done) parts.push({ text: text.slice(done, start), start: done });
      parts.push(entry.id);
      done = end;
    }
    if (done < text.length) parts.push({ text: text.slice(done), start: done });
    return parts;
  }

  #longest(text: string, at: number): { entry: AddedEntry; end: number } | null {
    let best: { entry: AddedEntry; end: number } | null = null;
    for (let node = this.#root.next.get(text.charCodeAt(at)), end = at + 1; node !== undefined; node = node.next.get(text.charCodeAt(end++))) {
      if (node.entry !== null) best = { entry: node.entry, end };
    }
    return best;
  }
}

interface Node {
  readonly next: Map<number, Node>; // by UTF-16 code unit
  entry: AddedEntry | null;
}
