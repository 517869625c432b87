// The JSON of a safetensors header: objects, arrays, strings and non-negative integers. JSON.parse would not do, because it
// keeps the last of two equal names in silence, treats "__proto__" specially in later copies, and nests without a limit.
import { FormatError } from "./errors.ts";

export type HeaderValue = string | number | readonly HeaderValue[] | HeaderObject;
export type HeaderObject = ReadonlyMap<string, HeaderValue>;

const maxDepth = 8; // a valid header needs 3
const integer = /(?:0|[1-9]\d*)(?![\d.eE])/y;
const space = /[ \t\n\r]*/y;

/** Parses a whole text. Throws FormatError at the first thing that a header cannot hold, with its position. */
export function parseHeaderJson(text: string): HeaderValue {
  let at = 0;

  function fail(what: string): never {
    throw new FormatError(`header: ${what} at character ${at}`);
  }
  function match(pattern: RegExp): string | null {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return null;
    at = pattern.lastIndex;
    return found[0];
  }
  /** Takes the character if it is next, with the space before it. */
  function take(character: string): boolean {
    match(space);
    if (text[at] !== character) return false;
    at++;
    return true;
  }
  function takeString(): string | null {
    if (!take('"')) return null;
    const start = at;
    // A loop over characters: a regular expression over a hostile name of many megabytes would exhaust its stack.
    for (; text[at] !== '"'; at++) {
      if (at >= text.length) fail("a string without its end");
      if (text.charCodeAt(at) < 0x20) fail("a control character in a string");
      if (text[at] === "\\") at++;
    }
    const literal = text.slice(start - 1, ++at);
    let content: unknown;
    try {
      content = JSON.parse(literal);
    } catch {
      fail("a malformed escape in the string before");
    }
    if (typeof content !== "string" || /\p{Surrogate}/u.test(content)) fail("half a surrogate pair in the string before");
    return content;
  }
  function value(depth: number): HeaderValue {
    if (depth > maxDepth) fail(`more than ${maxDepth} levels of nesting`);
    if (take("{")) return object(depth);
    if (take("[")) return array(depth);
    const literal = takeString();
    if (literal !== null) return literal;
    const digits = match(integer);
    if (digits === null) fail("an object, a list, a string or a non-negative integer expected");
    const number = Number(digits);
    if (!Number.isSafeInteger(number)) fail(`the number ${digits} is too large`);
    return number;
  }
  function object(depth: number): HeaderObject {
    const fields = new Map<string, HeaderValue>();
    if (take("}")) return fields;
    do {
      const name = takeString() ?? fail("a name in quotes expected");
      if (fields.has(name)) fail(`the name ${JSON.stringify(name)} appears twice`);
      if (!take(":")) fail("a colon expected");
      fields.set(name, value(depth + 1));
    } while (take(","));
    if (!take("}")) fail("a comma or } expected");
    return fields;
  }
  function array(depth: number): HeaderValue[] {
    const items: HeaderValue[] = [];
    if (take("]")) return items;
    do items.push(value(depth + 1)); while (take(","));
    if (!take("]")) fail("a comma or ] expected");
    return items;
  }

  const result = value(1);
  match(space);
  if (at !== text.length) fail("text after the end");
  return result;
}
