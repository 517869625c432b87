// Regular expressions as trees: the part of ECMAScript's syntax (with its `u` flag) that is regular. Anything else is refused by name.
import { GrammarError } from "./errors.ts";
import { type CodeRange, type CodeSet, complement, lastCodePoint, union } from "./utf8.ts";

export type RegexNode =
  | { readonly kind: "set"; readonly set: CodeSet }
  | { readonly kind: "sequence"; readonly parts: readonly RegexNode[] }
  | { readonly kind: "either"; readonly ways: readonly RegexNode[] }
  | { readonly kind: "repeat"; readonly part: RegexNode; readonly least: number; readonly most: number };

/** One alternative of the whole pattern, and whether it is held to the text's start and end by ^ and $. */
export interface Branch {
  readonly fromStart: boolean;
  readonly toEnd: boolean;
  readonly body: RegexNode;
}

const digits: CodeSet = [[0x30, 0x39]];
const words: CodeSet = union(digits, [[0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]]);
const spaces: CodeSet = union([[0x09, 0x0d], [0x20, 0x20], [0xa0, 0xa0], [0x1680, 0x1680], [0x2000, 0x200a], [0x2028, 0x2029], [0x202f, 0x202f], [0x205f, 0x205f], [0x3000, 0x3000], [0xfeff, 0xfeff]]);
const lineEnds: CodeSet = union([[0x0a, 0x0a], [0x0d, 0x0d], [0x2028, 0x2029]]);
const classes: Readonly<Record<string, CodeSet>> = { d: digits, w: words, s: spaces, D: complement(digits), W: complement(words), S: complement(spaces) };
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11 };
const syntax = "^$\\.*+?()[]{}|/";
const countPattern = /^\{(\d+)(,(\d*))?\}/;

/** The alternatives of a pattern. Throws GrammarError for syntax that is malformed, or not regular. */
export function parseRegex(pattern: string): Branch[] {
  return new RegexParser(pattern).branches();
}

class RegexParser {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(readonly pattern: string) {
    this.#characters = Array.from(pattern);
  }

  branches(): Branch[] {
    const branches: Branch[] = [];
    do {
      const fromStart = this.#take("^");
      const body = this.#sequence();
      branches.push({ fromStart, toEnd: this.#take("$"), body });
    } while (this.#take("|"));
    if (this.#at < this.#characters.length) this.#refuse(this.#next === "^" || this.#next === "$" ? `${this.#next} inside the pattern` : `a ${this.#next} without its beginning`);
    return branches;
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(character: string): boolean {
    if (this.#next !== character) return false;
    this.#at++;
    return true;
  }

  #refuse(what: string): never {
    throw new GrammarError(`pattern ${JSON.stringify(this.pattern)}: ${what} is not supported (character ${this.#at})`);
  }

  #either(): RegexNode {
    const ways = [this.#sequence()];
    while (this.#take("|")) ways.push(this.#sequence());
    return ways.length === 1 ? ways[0] : { kind: "either", ways };
  }

  #sequence(): RegexNode {
    const parts: RegexNode[] = [];
    while (this.#next !== undefined && !"|)^$".includes(this.#next)) parts.push(this.#quantified(this.#atom()));
    return parts.length === 1 ? parts[0] : { kind: "sequence", parts };
  }

  #quantified(part: RegexNode): RegexNode {
    const counts = this.#counts();
    if (!counts) return part;
    this.#take("?"); // a lazy quantifier matches the same texts
    const [least, most] = counts;
    if (least > most) this.#refuse(`a count from ${least} to ${most}`);
    if (this.#counts()) this.#refuse("a quantifier of a quantifier");
    return { kind: "repeat", part, least, most };
  }

  #counts(): [number, number] | null {
    if (this.#take("*")) return [0, Infinity];
    if (this.#take("+")) return [1, Infinity];
    if (this.#take("?")) return [0, 1];
    if (this.#next !== "{") return null;
    const found = countPattern.exec(this.#characters.slice(this.#at, this.#at + 40).join(""));
    if (!found) this.#refuse("{ without a count (write \\{)");
    this.#at += found[0].length;
    const least = Number(found[1]);
    return [least, found[2] === undefined ? least : found[3] === "" ? Infinity : Number(found[3])];
  }

  #atom(): RegexNode {
    const character = this.#characters[this.#at++];
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return { kind: "set", set: this.#class() };
      case ".":
        return { kind: "set", set: complement(lineEnds) };
      case "\\":
        return { kind: "set", set: this.#escape(false) };
      case "*":
      case "+":
      case "?":
      case "{":
      case "}":
      case "]":
        this.#at--;
        return this.#refuse(`${character} here (write \\${character})`);
      default:
        return { kind: "set", set: single(character) };
    }
  }

  #group(): RegexNode {
    if (this.#take("?")) {
      const kind = this.#characters.slice(this.#at, this.#at + 2).join("");
      if (/^(=|!|<=|<!)/.test(kind)) this.#refuse(`a look-around (?${kind.replace(/^([=!]).*/, "$1")}`);
      if (this.#take("<")) {
        while (this.#next !== undefined && !this.#take(">")) this.#at++;
      } else if (!this.#take(":")) {
        this.#refuse(`the group (?${this.#next ?? ""}`);
      }
    }
    const body = this.#either();
    if (this.#next === "^" || this.#next === "$") this.#refuse(`${this.#next} inside a group`);
    if (!this.#take(")")) this.#refuse("( without its end");
    return body;
  }

  #class(): CodeSet {
    const negated = this.#take("^");
    const sets: CodeSet[] = [];
    while (!this.#take("]")) {
      const low = this.#member();
      if (this.#next === "-" && this.#characters[this.#at + 1] !== "]") {
        this.#at++;
        const high = this.#member();
        if (!isSingle(low) || !isSingle(high) || low[0][0] > high[0][0]) this.#refuse("a range whose ends are no two characters in order");
        sets.push([[low[0][0], high[0][0]]]);
      } else {
        sets.push(low);
      }
    }
    const set = union(...sets);
    return negated ? complement(set) : set;
  }

  #member(): CodeSet {
    const character = this.#characters[this.#at++];
    if (character === undefined) this.#refuse("[ without its end");
    return character === "\\" ? this.#escape(true) : single(character);
  }

  #escape(inClass: boolean): CodeSet {
    const letter = this.#characters[this.#at++];
    if (letter === undefined) this.#refuse("\\ at the end");
    if (Object.hasOwn(classes, letter)) return classes[letter];
    if (Object.hasOwn(controls, letter)) return single(controls[letter]);
    if (syntax.includes(letter) || letter === "-" || /[^\p{ASCII}]|[\s"#%&',:;<=>@_`~!]/u.test(letter)) return single(letter);
    if (letter === "b" && inClass) return single(8);
    if (letter === "0" && !/\d/.test(this.#next ?? "")) return single(0);
    if (letter === "x") return single(this.#hex(2));
    if (letter === "u") return single(this.#unicode());
    if (letter === "p" || letter === "P") return this.#property(letter === "P");
    this.#refuse(/[1-9k]/.test(letter) ? "a back-reference" : `the escape \\${letter}`);
  }

  #hex(length: number): number {
    const text = this.#characters.slice(this.#at, this.#at + length).join("");
    if (!/^[\da-fA-F]+$/.test(text) || text.length !== length) this.#refuse(`an escape without its ${length} hexadecimal digits`);
    this.#at += length;
    return Number.parseInt(text, 16);
  }

  #unicode(): number {
    if (this.#take("{")) {
      const end = this.#characters.indexOf("}", this.#at);
      const code = end < 0 ? lastCodePoint + 1 : this.#hex(end - this.#at);
      this.#at++;
      if (code > lastCodePoint) this.#refuse("a code point past 10FFFF");
      return code;
    }
    const code = this.#hex(4);
    if (code < 0xd800 || code > 0xdbff || this.#next !== "\\") return code;
    this.#at++;
    if (!this.#take("u")) this.#refuse("half a surrogate pair");
    return (code - 0xd800) * 0x400 + (this.#hex(4) - 0xdc00) + 0x10000;
  }

  #property(negated: boolean): CodeSet {
    const end = this.#characters.indexOf("}", this.#at);
    const name = this.#take("{") ? this.#characters.slice(this.#at, end).join("") : "";
    this.#at = end + 1;
    const set = propertySet(name);
    if (!set) this.#refuse(`the property \\p{${name}}`);
    return negated ? complement(set) : set;
  }
}

const properties = new Map<string, CodeSet>();

/** The characters of a Unicode property, as this engine's own expressions know it; null if they do not. */
function propertySet(name: string): CodeSet | null {
  const known = properties.get(name);
  if (known) return known;
  let test: RegExp;
  try {
    test = new RegExp(`^\\p{${name}}$`, "u");
  } catch {
    return null;
  }
  const ranges: CodeRange[] = [];
  let start = -1;
  for (let code = 0; code <= lastCodePoint + 1; code++) {
    const inside = code <= lastCodePoint && test.test(String.fromCodePoint(code));
    if (inside && start < 0) start = code;
    if (!inside && start >= 0) ranges.push([start, code - 1]);
    if (!inside) start = -1;
  }
  properties.set(name, ranges);
  return ranges;
}

function single(character: string | number): CodeSet {
  const code = typeof character === "number" ? character : (character.codePointAt(0) ?? 0);
  return [[code, code]];
}

function isSingle(set: CodeSet): boolean {
  return set.length === 1 && set[0][0] === set[0][1];
}
