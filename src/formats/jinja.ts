// Jinja as Python runs it (Pallets' Jinja2, in the sandbox of transformers): @huggingface/jinja's interpreter with a bound on
// its steps and on the size of every value, and with Python's rules where that library has JavaScript's.
import { Environment, Interpreter, type parse } from "@huggingface/jinja";
import { FormatError } from "./errors.ts";
import { dateText, equal, isValue, pythonText, stripped, type Value } from "./python-values.ts";

type Program = ReturnType<typeof parse>;
type Node = NonNullable<Parameters<Interpreter["evaluate"]>[0]>;
type Result = ReturnType<Interpreter["evaluate"]>;

const maxSteps = 3_000_000;
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
    const result = this.#python(node, environment) ?? super.evaluate(node, environment);
    this.#weigh(result);
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
    const { type, operator, left, right, callee, args, operand, filter, test, negate } = fields(node);
    if (type === "BinaryExpression" && isNode(left) && isNode(right)) {
      const sign = fields(operator).value;
      if (sign !== "==" && sign !== "!=" && sign !== "~") return null;
      const [a, b] = [this.evaluate(left, environment), this.evaluate(right, environment)];
      return runtime(sign === "~" ? pythonText(a) + pythonText(b) : equal(a, b) === (sign === "=="));
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
      const name = fields(filter).value;
      if (name !== "trim" && name !== "string") return null;
      const subject = this.evaluate(operand, environment);
      const text = pythonText(subject);
      return runtime(name === "trim" ? stripped(text, null, "both") : text);
    }
    if (type === "TestExpression" && isNode(operand) && fields(test).value === "iterable") {
      const { type: kind } = this.evaluate(operand, environment);
      return runtime(["ArrayValue", "TupleValue", "ObjectValue", "StringValue"].includes(kind) !== (negate === true));
    }
    return null;
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
