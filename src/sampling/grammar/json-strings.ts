// JSON strings as rules (RFC 8259): any characters between two counts, those that match a pattern or a format, names but for some.
import type { AutomatonBuilder } from "./automaton.ts";
import { GrammarError } from "./errors.ts";
import { emitBranches, type EmitSet, emitUtf8 } from "./regex.ts";
import { parseRegex } from "./regex-parser.ts";
import { type CodeSet, complement, contains, union, without } from "./utf8.ts";

const shortEscapes: Readonly<Record<string, number>> = { '"': 0x22, "\\": 0x5c, b: 8, f: 12, n: 10, r: 13, t: 9 };
const controls: CodeSet = [[0, 0x1f]];
/** Characters that a JSON string can only hold escaped. */
const escaped: CodeSet = union(controls, [[0x22, 0x22]], [[0x5c, 0x5c]]);

/** One character of a set in a JSON string, spelt in one way: raw where it may be, else by its shortest escape. */
export const emitInString: EmitSet = (builder, from, set) => {
  const to = builder.state();
  builder.skip(emitUtf8(builder, from, without(set, escaped)), to);
  for (const [letter, code] of Object.entries(shortEscapes)) if (contains(set, code)) builder.skip(builder.literal(from, `\\${letter}`), to);
  const named = new Set(Object.values(shortEscapes));
  for (let code = 0; code < 0x20; code++) {
    if (contains(set, code) && !named.has(code)) builder.skip(builder.literal(from, `\\u${code.toString(16).padStart(4, "0")}`), to);
  }
  return to;
};

/** The rule of one character in every spelling, but for half a surrogate pair. */
export function characterRule(builder: AutomatonBuilder): number {
  return builder.rule("a character", (from) => {
    const to = emitUtf8(builder, from, complement(escaped));
    const escape = builder.literal(from, "\\");
    for (const letter of [...Object.keys(shortEscapes), "/"]) builder.skip(builder.literal(escape, letter), to);
    const u = builder.literal(escape, "u");
    const hex = (at: number, digits: string): number => {
      const next = builder.state();
      for (const digit of new Set([...digits.toLowerCase(), ...digits.toUpperCase()])) builder.bytes(at, digit.charCodeAt(0), digit.charCodeAt(0), next);
      return next;
    };
    const any = "0123456789abcdef";
    builder.skip(hex(hex(hex(hex(u, "0123456789abcef"), any), any), any), to);
    const d = hex(u, "d");
    builder.skip(hex(hex(hex(d, "01234567"), any), any), to);
    const high = hex(hex(hex(d, "89ab"), any), any);
    builder.skip(hex(hex(hex(hex(builder.literal(high, "\\u"), "d"), "cdef"), any), any), to);
    return to;
  });
}

/** A string of `least` … `most` characters (code points, as JSON Schema counts). */
export function emitString(builder: AutomatonBuilder, from: number, character: number, least: number, most: number): number {
  const open = builder.literal(from, '"');
  return builder.literal(builder.repeat(open, least, most, (at) => builder.call(at, character)), '"');
}

/** A string that a pattern matches somewhere, as JSON Schema asks: ^ and $ hold it to the ends. */
export function emitPattern(builder: AutomatonBuilder, from: number, pattern: string): number {
  return builder.literal(emitBranches(builder, builder.literal(from, '"'), parseRegex(pattern), emitInString), '"');
}

const year = "\\d{4}";
const leapYear = "(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)";
const date = `(${year}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))|${leapYear}-02-29)`;
const time = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)";
const word = "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?";
const byte = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";

/** RFC 3339's dates and times without leap seconds; UUIDs; e-mail addresses of the plain kind. */
const formats: Readonly<Record<string, string>> = {
  date,
  time,
  "date-time": `${date}T${time}`,
  uuid: "[\\da-f]{8}-[\\da-f]{4}-[\\da-f]{4}-[\\da-f]{4}-[\\da-f]{12}",
  email: `[A-Za-z0-9_+-]+(\\.[A-Za-z0-9_+-]+)*@${word}(\\.${word})*\\.[a-z]{2,10}`,
  ipv4: `${byte}(\\.${byte}){3}`,
};

/** The pattern of a format. Throws GrammarError for formats that are not supported. */
export function formatPattern(format: unknown, place: string): string {
  if (typeof format === "string" && Object.hasOwn(formats, format)) return `^${formats[format]}$`;
  throw new GrammarError(`${place}: format ${JSON.stringify(format)} is not supported; there are ${Object.keys(formats).join(", ")}`);
}

/** A name that is none of `taken`. Without escapes, so that no spelling of a taken name slips through. */
export function emitOtherName(builder: AutomatonBuilder, from: number, taken: readonly string[]): number {
  const plain = complement(escaped);
  const rest = builder.state();
  builder.skip(emitUtf8(builder, rest, plain), rest);
  const end = builder.literal(rest, '"');
  const branch = (at: number, tails: readonly (readonly string[])[]): void => {
    if (!tails.some((tail) => tail.length === 0)) builder.skip(builder.literal(at, '"'), end);
    const heads = new Map<number, string[][]>();
    for (const [head, ...tail] of tails) {
      const code = head?.codePointAt(0);
      if (code !== undefined) heads.set(code, [...(heads.get(code) ?? []), tail]);
    }
    const named = union(...[...heads.keys()].map((code): CodeSet => [[code, code]]));
    builder.skip(emitUtf8(builder, at, without(plain, named)), rest);
    for (const [code, next] of heads) branch(emitUtf8(builder, at, [[code, code]]), next);
  };
  const writable = taken.map((name) => Array.from(name)).filter((name) => !name.some((character) => contains(escaped, character.codePointAt(0) ?? 0)));
  branch(builder.literal(from, '"'), writable);
  return end;
}

