// Jinja as Python runs it (Pallets' Jinja2, in the sandbox of transformers): @huggingface/jinja's interpreter with a bound on
// its steps and on the size of every value, and with Python's rules where that library has JavaScript's.
import { Environment, Interpreter, type parse } from "@huggingface/jinja";
import { FormatError } from "./errors.ts";
import { dateText, equal, isValue, plain, pythonText, stripped, type Value } from "./python-values.ts";

type Program = ReturnType<typeof parse>;
type Node = NonNullable<Parameters<Interpreter["evaluate"]>[0]>;
type Result = ReturnType<Interpreter["evaluate"]>;

const maxSteps = 5_000_000;
const maxText = 0x40_0000; // characters of one value
const maxItems = 100_000;

/** Variables as the template sees them, with the functions that transformers gives to a template. */
export function globals(variables: Readonly<Record<string, unknown>>, now: Date): Environment {
  const environment = new Environment();
  const given = {
    ...variables,
    true: true, false: false, none: null, True: true, False: false, None: null,
    raise_exception: (message: unknown) => {
      throw new FormatError(`the chat template refuses these messages: ${String(message)}`);
    },
    strftime_now: (format: unknown) => dateText(now, String(format)),
    range,
    dict: (...parts: unknown[]) => Object.assign({}, ...parts.map((part) => plain(part))),
  };
  for (const [name, value] of Object.entries(given)) {
    if (name !== "namespace") environment.set(name, value);
  }
  return environment;
}

function range(first: unknown, last?: unknown, by: unknown = 1): number[] {
  const [start, stop, step] = last === undefined ? [0, first, by] : [first, last, by];
  if (typeof start !== "number" || typeof stop !== "number" || typeof step !== "number" || step === 0) throw new FormatError("the chat template's range() needs numbers");
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > maxItems) throw new FormatError(`the chat template counts to ${length}`);
  return Array.from({ length }, (_, i) => start + i * step);
}

export class BoundedInterpreter extends Interpreter {
  readonly #program: Program;
  readonly #printed = new WeakSet<object>(); // expressions whose value is written into the text
  readonly #known = new WeakMap<object, Result>(); // nodes that stand for a value, not to be worked out twice
  #steps = 0;

  constructor(environment: Environment, program: Program) {
    super(environment);
    this.#program = program;
    this.#findPrinted(program);
  }

  /** The rendered text. Throws FormatError where it would take too long or grow too large. */
  text(): string {
    return String(this.run(this.#program).value);
  }

  override evaluate(node: Node | undefined, environment: Environment): Result {
    if (++this.#steps > maxSteps) throw new FormatError(`the chat template takes more than ${maxSteps} steps`);
    if (node === undefined) return super.evaluate(node, environment);
    const known = this.#known.get(node);
    if (known !== undefined) return known;
    const result = this.#python(node, environment) ?? super.evaluate(node, environment);
    if (!lookups.has(node.type)) this.#weigh(result);
    if (!this.#printed.has(node) || result.type === "UndefinedValue" || result.type === "StringValue") return result;
    return runtime(pythonText(result));
  }

  /** A value costs by its size, so that a few steps cannot make or copy what takes for ever. */
  #weigh({ type, value }: Value): void {
    const size = typeof value === "string" ? value.length : Array.isArray(value) ? value.length * 40 : 0;
    if (size > maxText) throw new FormatError(`the chat template makes a ${type === "StringValue" ? "text" : "list"} that is too large`);
    this.#steps += size >> 6;
  }

  /** What Python does otherwise than the library, or null. */
  #python(node: Node, environment: Environment): Result | null {
    const { type, operator, left, right, callee, args, operand, filter, test, negate, iterable } = fields(node);
    if (type === "BinaryExpression" && isNode(left) && isNode(right)) {
      const sign = fields(operator).value;
      if (sign !== "==" && sign !== "!=" && sign !== "~" && sign !== "+") return null;
      const [a, b] = [this.evaluate(left, environment), this.evaluate(right, environment)];
      if (sign === "~") return runtime(pythonText(a) + pythonText(b));
      if (sign !== "+") return runtime(equal(a, b) === (sign === "=="));
      if ((a.type === "StringValue") !== (b.type === "StringValue")) throw new FormatError(`the chat template adds ${described(a)} to ${described(b)}`);
      return super.evaluate(changed(node, { left: this.#stand(left, a), right: this.#stand(right, b) }), environment);
    }
    if (type === "For" && isNode(iterable)) {
      const { lhs } = fields(iterable);
      const source = iterable.type === "SelectExpression" && isNode(lhs) ? lhs : iterable;
      const items = listed(this.evaluate(source, environment));
      this.#steps += stepsPerRound * (Array.isArray(items.value) ? items.value.length : 0);
      if (this.#steps > maxSteps) throw new FormatError(`the chat template takes more than ${maxSteps} steps`);
      const stand = this.#stand(source, items);
      return super.evaluate(changed(node, { iterable: source === iterable ? stand : changed(iterable, { lhs: stand }) }), environment);
    }
    if (type === "CallExpression" && isNode(callee) && Array.isArray(args)) {
      const { type: kind, computed, object, property } = fields(callee);
      const method = fields(property).value;
      if (kind !== "MemberExpression" || computed === true || typeof method !== "string" || !ownMethods.has(method) || !isNode(object)) return null;
      const positional: Result[] = [];
      for (const arg of args) {
        if (!isNode(arg) || /^(Keyword|Spread)/.test(arg.type)) return null;
        positional.push(this.evaluate(arg, environment));
      }
      const subject = this.evaluate(object, environment);
      return typeof subject.value === "string" ? callMethod(subject.value, method, positional) : null;
    }
    if (type === "FilterExpression" && isNode(operand)) {
      const { value: plainName, callee: called, args: given } = fields(filter);
      const name = plainName ?? fields(called).value;
      if (typeof name !== "string" || !(plainName === undefined ? ownFilterCalls : ownFilters).has(name)) return null;
      const subject = this.evaluate(operand, environment);
      if (name === "trim" || name === "string") return runtime(name === "trim" ? stripped(pythonText(subject), null, "both") : pythonText(subject));
      const list = listed(subject);
      return selected(list, name, given) ?? super.evaluate(changed(node, { operand: this.#stand(operand, list) }), environment);
    }
    if (type === "TestExpression" && isNode(operand) && fields(test).value === "iterable") {
      const { type: kind } = this.evaluate(operand, environment);
      return runtime(["ArrayValue", "TupleValue", "ObjectValue", "StringValue"].includes(kind) !== (negate === true));
    }
    return null;
  }

  /** A node that stands for a value that is known already. */
  #stand(node: Node, value: Result): Node {
    const stand = changed(node, {});
    this.#known.set(stand, value);
    return stand;
  }

  #findPrinted(node: unknown): void {
    const pending: unknown[] = [node];
    const seen = new Set<unknown>();
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (typeof next !== "object" || next === null || seen.has(next)) continue;
      seen.add(next);
      const children = next instanceof Map ? [...next].flat() : Object.values(next);
      for (const name of ["body", "alternate", "defaultBlock"]) {
        const block: unknown = fields(next)[name];
        for (const one of Array.isArray(block) ? block : []) if (isNode(one) && !statements.has(one.type)) this.#printed.add(one);
      }
      pending.push(...children);
    }
  }
}

const statements = new Set(["Set", "If", "For", "Macro", "CallStatement", "FilterStatement", "Break", "Continue", "Comment", "Program"]);
const lookups = new Set(["Identifier", "MemberExpression"]); // these make nothing new
const stepsPerRound = 60; // of a loop, whatever is in it
const ownMethods = new Set(["strip", "lstrip", "rstrip", "replace", "removeprefix", "removesuffix"]);

function callMethod(text: string, method: string, args: readonly Value[]): Result | null {
  const [first, second] = args.map(({ value }) => value);
  const given = typeof first === "string" ? first : null;
  if (method === "strip" || method === "lstrip" || method === "rstrip") {
    return args.length > 1 || (args.length === 1 && given === null && first !== null) ? null : runtime(stripped(text, given, method === "strip" ? "both" : method === "lstrip" ? "start" : "end"));
  }
  if (given === null) return null;
  if (method === "removeprefix") return runtime(text.startsWith(given) ? text.slice(given.length) : text);
  if (method === "removesuffix") return runtime(given !== "" && text.endsWith(given) ? text.slice(0, -given.length) : text);
  if (typeof second !== "string" || args.length > 2) return null;
  const times = given === "" ? text.length + 1 : text.split(given).length - 1;
  if (text.length + times * second.length > maxText) throw new FormatError("the chat template makes a text that is too large");
  return given === "" ? null : runtime(text.split(given).join(second));
}

const ownFilters = new Set(["trim", "string"]);
const ownFilterCalls = new Set(["selectattr", "rejectattr", "select", "reject", "map"]);

/** selectattr and rejectattr, which the library answers wrongly for items without the attribute; null for a test that is not here. */
function selected(list: Result, filter: string, args: unknown): Result | null {
  if ((filter !== "selectattr" && filter !== "rejectattr") || !Array.isArray(list.value) || !Array.isArray(args)) return null;
  const [name, test, expected] = args.map((arg) => (fields(arg).type === "StringLiteral" ? fields(arg).value : null));
  if (typeof name !== "string" || test === null || expected === null) return null;
  const passes = tests[typeof test === "string" ? test : ""];
  if (passes === undefined) return null;
  const items = list.value.filter((item: unknown) => {
    const value = isValue(item) && item.value instanceof Map ? item.value.get(name) : undefined;
    return passes(isValue(value) ? value : { type: "UndefinedValue" }, expected) === (filter === "selectattr");
  });
  return changed(list, { value: items, _builtins: undefined });
}

const is = (value: Value, expected: unknown): boolean => value.type === "StringValue" && value.value === expected;
const tests: Readonly<Record<string, (value: Value, expected: unknown) => boolean>> = {
  "": ({ type, value }) => (value instanceof Map ? value.size > 0 : Array.isArray(value) ? value.length > 0 : type !== "NullValue" && Boolean(value)),
  defined: ({ type }) => type !== "UndefinedValue",
  undefined: ({ type }) => type === "UndefinedValue",
  none: ({ type }) => type === "NullValue",
  equalto: is, eq: is, "==": is,
  ne: (value, expected) => !is(value, expected), "!=": (value, expected) => !is(value, expected),
};

/** What a loop runs over: of a text its characters. */
function listed(value: Result): Result {
  return value.type === "StringValue" ? new Environment().set("value", Array.from(String(value.value))) : value;
}

/** The same node or value with some fields changed. */
function changed<T extends object>(from: T, change: Readonly<Record<string, unknown>>): T {
  const copy: T = Object.create(Object.getPrototypeOf(from));
  return Object.assign(copy, from, change);
}

function described({ type }: Value): string {
  return type === "StringValue" ? "a text" : type.replace("Value", "").toLowerCase();
}

function isNode(value: unknown): value is Node {
  return isValue(value);
}

function fields(node: unknown): Readonly<Record<string, unknown>> {
  return typeof node === "object" && node !== null ? { ...node } : {};
}

/** A plain value as the interpreter holds it. */
function runtime(value: string | boolean): Result {
  return new Environment().set("value", value);
}
