// What a JSON Schema says, read strictly: each keyword is supported, known to say nothing of the value, or refused by name.
import { isObject, type JsonObject } from "../../formats/json.ts";
import { GrammarError } from "./errors.ts";

export type Schema = JsonObject | boolean;
export type JsonType = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object";

const keywordsOf: Readonly<Record<JsonType, readonly string[]>> = {
  null: [],
  boolean: [],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  string: ["minLength", "maxLength", "pattern", "format"],
  array: ["items", "prefixItems", "minItems", "maxItems"],
  object: ["properties", "required", "additionalProperties"],
};
const types = new Set<string>(Object.keys(keywordsOf));
const typed = new Set(Object.values(keywordsOf).flat());
/** Keywords that stand alone, each beside the annotations. */
const whole = ["$ref", "allOf", "anyOf", "oneOf"];
const annotations = new Set(["title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema", "$defs", "definitions"]);

export function schemaOf(value: unknown, place: string): Schema {
  if (typeof value === "boolean" || isObject(value)) return value;
  throw new GrammarError(`${place}: a schema is an object, true or false`);
}

/** Throws GrammarError for keywords, and meetings of keywords, that are not supported. */
export function checkKeywords(schema: JsonObject, place: string): void {
  const said = Object.keys(schema).filter((key) => schema[key] !== undefined && !annotations.has(key) && !key.startsWith("x-") && !(key === "$id" && place === "#"));
  const alone = said.find((key) => whole.includes(key)) ?? said.find((key) => key === "enum" || key === "const");
  for (const key of said) {
    if (!whole.includes(key) && !typed.has(key) && key !== "type" && key !== "enum" && key !== "const") throw new GrammarError(`${place}: keyword ${JSON.stringify(key)} is not supported`);
    const fits = alone === undefined || key === alone || (!whole.includes(alone) && ["type", "enum", "const"].includes(key));
    if (!fits) throw new GrammarError(`${place}: keyword ${JSON.stringify(key)} beside ${JSON.stringify(alone)} is not supported; write one schema that says both`);
  }
}

/** The types that a value may have: those that are declared, else those that the keywords speak of; null if nothing is said. */
export function typesOf(schema: JsonObject, place: string): JsonType[] | null {
  const declared = declaredTypes(schema, place);
  if (declared) return declared;
  const spoken = (Object.keys(keywordsOf) as JsonType[]).filter((type) => type !== "integer" && keywordsOf[type].some((key) => schema[key] !== undefined));
  return spoken.length ? spoken : null;
}

/** What `type` says; null without it. */
export function declaredTypes({ type }: JsonObject, place: string): JsonType[] | null {
  if (type === undefined) return null;
  const list: readonly unknown[] = Array.isArray(type) ? type : [type];
  for (const name of list) if (!isType(name)) throw new GrammarError(`${place}: type ${JSON.stringify(name)} is not supported`);
  return list.filter(isType);
}

/** The values of `enum` and `const` that fit `type`; null without them. */
export function valuesOf(schema: JsonObject, place: string): unknown[] | null {
  if (schema.enum === undefined && !Object.hasOwn(schema, "const")) return null;
  const listed = schema.enum === undefined ? [schema.const] : listOf(schema.enum, `${place}/enum`);
  for (const value of listed) if (typeNames(value).length === 0) throw new GrammarError(`${place}: a value that JSON does not have`);
  const declared = declaredTypes(schema, place);
  return listed
    .filter((value) => !Object.hasOwn(schema, "const") || canonical(value) === canonical(schema.const))
    .filter((value) => !declared || typeNames(value).some((type) => declared.includes(type)));
}

/** The types that a JSON value has: an integer is a number, too. */
export function typeNames(value: unknown): JsonType[] {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return ["array"];
  switch (typeof value) {
    case "boolean":
    case "string":
    case "object":
      return [typeof value as "boolean" | "string" | "object"];
    case "number":
      return Number.isInteger(value) ? ["integer", "number"] : Number.isFinite(value) ? ["number"] : [];
    default:
      return [];
  }
}

/** A value as text that is equal for equal values, whatever the order of their members. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (isObject(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part)) ?? "undefined";
}

/** The schema that a reference within the document names. Throws GrammarError for other references, and for those that lead nowhere. */
export function resolve(document: unknown, reference: unknown, place: string): { found: Schema; at: string } {
  if (typeof reference !== "string" || !/^#(\/|$)/.test(reference)) throw new GrammarError(`${place}: $ref ${JSON.stringify(reference)} is not supported; refer to a schema of this document, as "#/$defs/name"`);
  let value: unknown = document;
  const parts = reference === "#" ? [] : percentDecoded(reference).slice(2).split("/");
  for (const part of parts) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    const inside: unknown = Array.isArray(value) ? value[Number(name)] : isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    if (inside === undefined) throw new GrammarError(`${place}: $ref ${JSON.stringify(reference)} leads nowhere`);
    value = inside;
  }
  const at = ["#", ...parts].join("/");
  return { found: schemaOf(value, at), at };
}

function percentDecoded(reference: string): string {
  try {
    return decodeURIComponent(reference);
  } catch {
    return reference; // a name with a percent sign that was not encoded
  }
}

/** A name as a part of a JSON pointer. */
export function pointerPart(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

export function listOf(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new GrammarError(`${place}: a list expected`);
}

/** The names in `required`. */
export function requiredOf({ required = [] }: JsonObject, place: string): readonly string[] {
  const names = listOf(required, `${place}/required`);
  if (names.every((name) => typeof name === "string")) return names;
  throw new GrammarError(`${place}: "required" is no list of names`);
}

export function countOf(schema: JsonObject, keyword: string, fallback: number, place: string): number {
  const value = schema[keyword] ?? fallback;
  if (typeof value === "number" && value >= 0 && (Number.isInteger(value) || value === Infinity)) return value;
  throw new GrammarError(`${place}: "${keyword}" expected a whole number, got ${JSON.stringify(value)}`);
}

/** `most`, unless `least` is more. */
export function expectOrder(least: number, most: number, what: string): number {
  if (least <= most) return most;
  throw new GrammarError(`${what} leave nothing between ${least} and ${most}`);
}

function isType(name: unknown): name is JsonType {
  return typeof name === "string" && types.has(name);
}
