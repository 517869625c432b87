// Tokens that a tokenizer takes out of the text before it splits words: beginning, end, padding, and whatever was added.
// Read from tokenizer_config.json, special_tokens_map.json, added_tokens.json and tokenizer.json in transformers' order.
import { FormatError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";

export interface AddedToken {
  readonly content: string;
  /** Looked for in the normalized text (as its own normal form) instead of in the text as it is. */
  readonly normalized: boolean;
}

export interface TokenizerFiles {
  /** tokenizer_config.json, or {}. */
  readonly config: JsonObject;
  /** special_tokens_map.json, added_tokens.json and tokenizer.json where they are there. */
  readonly specialTokensMap: JsonObject | null;
  readonly addedTokens: JsonObject | null;
  readonly tokenizer: JsonObject | null;
}

const roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"] as const;
export type SpecialRole = (typeof roles)[number];

/** The token that a role has, as text, or null. */
export function specialToken(files: TokenizerFiles, role: SpecialRole): string | null {
  const content = contentOf(statedTokens(files)[role]);
  return typeof content === "string" ? content : null;
}

/** special_tokens_map.json wins over tokenizer_config.json, but for configurations that list all added tokens themselves. */
function statedTokens({ config, specialTokensMap }: TokenizerFiles): JsonObject {
  return isObject(config.added_tokens_decoder) ? config : { ...config, ...specialTokensMap };
}

/** Special tokens by role, and all added tokens in the order in which new ones get their ids. Throws FormatError. */
export function readAddedTokens(
  files: TokenizerFiles, defaults: Partial<Record<SpecialRole, string>> = {},
): { special: Partial<Record<SpecialRole, string>>; added: readonly AddedToken[] } {
  const named = statedTokens(files);
  const listed = isObject(named.added_tokens_decoder) ? named.added_tokens_decoder : null;
  const numbered: [id: number, token: AddedToken][] = [];
  if (listed !== null) {
    for (const [id, token] of Object.entries(listed)) numbered.push([Number(id), readToken(token)]);
  } else {
    for (const [content, id] of Object.entries(files.addedTokens ?? {})) {
      numbered.push([Number(id), { content, normalized: !roles.some((role) => contentOf(named[role]) === content) }]);
    }
    const inTokenizer: unknown = files.tokenizer?.added_tokens;
    for (const token of Array.isArray(inTokenizer) ? inTokenizer : []) {
      if (isObject(token)) numbered.push([Number(token.id), readToken(token)]);
    }
  }
  const added = new Map<string, AddedToken>();
  const add = (token: AddedToken): void => {
    if (token.content !== "") added.set(token.content, token); // the last one to name a token says how it is found
  };
  for (const [, token] of numbered.sort(([a], [b]) => a - b)) add(token);
  const inList = new Map(added);
  const special: Partial<Record<SpecialRole, string>> = {};
  for (const role of roles) {
    const value = named[role] ?? defaults[role];
    if (value === undefined || value === null) continue;
    const token = readToken(value);
    special[role] = token.content;
    add((role in named && inList.get(token.content)) || token);
  }
  const extra = named.extra_special_tokens ?? named.additional_special_tokens;
  for (const token of Array.isArray(extra) ? extra : []) add(readToken(token));
  return { special, added: [...added.values()] };
}

function readToken(value: unknown): AddedToken {
  if (typeof value === "string") return { content: value, normalized: false };
  if (!isObject(value) || typeof value.content !== "string") throw new FormatError(`a special token is no text: ${JSON.stringify(value)}`);
  for (const option of ["lstrip", "rstrip", "single_word"]) {
    if (value[option] === true) throw new FormatError(`the special token "${value.content}" has the option ${option}, which is not supported`);
  }
  return { content: value.content, normalized: value.normalized === undefined ? value.special !== true : value.normalized === true };
}

function contentOf(value: unknown): unknown {
  return isObject(value) ? value.content : value;
}

/** Splits a text at some fixed strings, at the leftmost place and there at the longest of them. */
export class TokenSplitter {
  readonly #pattern: RegExp | null;
  readonly #ids: ReadonlyMap<string, number>;

  constructor(ids: ReadonlyMap<string, number>) {
    this.#ids = ids;
    const longestFirst = [...ids.keys()].sort((a, b) => b.length - a.length);
    const escaped = longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
    this.#pattern = escaped.length === 0 ? null : new RegExp(escaped.join("|"), "gu");
  }

  /** Stretches of text and ids of the fixed strings between them, in order; no empty text. */
  split(text: string): (string | number)[] {
    const parts: (string | number)[] = [];
    let end = 0;
    for (const match of this.#pattern === null ? [] : text.matchAll(this.#pattern)) {
      if (match.index > end) parts.push(text.slice(end, match.index));
      const id = this.#ids.get(match[0]);
      if (id !== undefined) parts.push(id);
      end = match.index + match[0].length;
    }
    if (end < text.length) parts.push(text.slice(end));
    return parts;
  }
}
