// A small JSON Schema validator for the tests of grammars: only the keywords that the compiler takes, by the specification's words.
import { canonical } from "../../../src/sampling/grammar/schema.ts";

export type TestSchema = boolean | { readonly [keyword: string]: unknown };

export function validates(value: unknown, schema: TestSchema, document: TestSchema = schema): boolean {
  if (typeof schema === "boolean") return schema;
  const fits = (part: unknown, sub: unknown): boolean => validates(part, sub as TestSchema, document);
  const list = (keyword: string): unknown[] | undefined => schema[keyword] as unknown[] | undefined;
  const number = (keyword: string, fallback: number): number => (schema[keyword] as number | undefined) ?? fallback;

  if (typeof schema.$ref === "string") return fits(value, schema.$ref.slice(2).split("/").reduce<unknown>((at, part) => (part ? (at as Record<string, unknown>)[part] : at), document));
  if (list("anyOf")?.some((way) => fits(value, way)) === false) return false;
  if (schema.oneOf && list("oneOf")?.filter((way) => fits(value, way)).length !== 1) return false;
  if (list("allOf")?.every((way) => fits(value, way)) === false) return false;
  if (list("enum")?.some((one) => canonical(one) === canonical(value)) === false) return false;
  if ("const" in schema && canonical(schema.const) !== canonical(value)) return false;
  if (schema.type !== undefined && ![schema.type].flat().some((type) => typeFits(value, type))) return false;

  if (typeof value === "number") {
    return value >= number("minimum", -Infinity) && value <= number("maximum", Infinity) && value > number("exclusiveMinimum", -Infinity) && value < number("exclusiveMaximum", Infinity);
  }
  if (typeof value === "string") {
    const length = Array.from(value).length;
    if (length < number("minLength", 0) || length > number("maxLength", Infinity)) return false;
    if (typeof schema.pattern === "string" && !new RegExp(schema.pattern, "u").test(value)) return false;
    return typeof schema.format !== "string" || formatFits(value, schema.format);
  }
  if (Array.isArray(value)) {
    if (value.length < number("minItems", 0) || value.length > number("maxItems", Infinity)) return false;
    const first = list("prefixItems") ?? [];
    return value.every((item, i) => fits(item, i < first.length ? first[i] : (schema.items ?? true)));
  }
  if (typeof value === "object" && value !== null) {
    const properties = (schema.properties ?? {}) as Record<string, unknown>;
    if (list("required")?.some((name) => !Object.hasOwn(value, String(name)))) return false;
    return Object.entries(value).every(([name, part]) => fits(part, Object.hasOwn(properties, name) ? properties[name] : (schema.additionalProperties ?? true)));
  }
  return true;
}

function typeFits(value: unknown, type: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type && (type !== "number" || Number.isFinite(value));
  }
}

function formatFits(value: string, format: string): boolean {
  const dayOf = (text: string): boolean => !Number.isNaN(Date.parse(`${text}T00:00:00Z`)) && new Date(`${text}T00:00:00Z`).toISOString().startsWith(text);
  switch (format) {
    case "date":
      return value.length === 10 && dayOf(value);
    case "date-time":
      return dayOf(value.slice(0, 10)) && !Number.isNaN(Date.parse(value));
    case "time":
      return !Number.isNaN(Date.parse(`2000-01-01T${value}`));
    case "uuid":
      return value.length === 36 && value.split("-").map((part) => part.length).join() === "8,4,4,4,12" && BigInt(`0x${value.replaceAll("-", "")}`) >= 0n;
    case "email":
      return value.split("@").length === 2 && value.split("@").every((part) => part.length > 0 && !part.startsWith(".") && !part.endsWith(".") && !part.includes(".."));
    case "ipv4":
      return value.split(".").length === 4 && value.split(".").every((part) => String(Number(part)) === part && Number(part) < 256);
    default:
      return false;
  }
}
