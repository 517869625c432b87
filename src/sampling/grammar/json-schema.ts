// JSON Schema (2020-12, and the older `definitions`) as a grammar of JSON texts. What it spells always parses and fits the schema; it
// does not spell all that fits: members come in the order of `properties`, and numbers have at most 15 digits.
import { isObject, type JsonObject } from "../../formats/json.ts";
import { AutomatonBuilder } from "./automaton.ts";
import { disjoint } from "./disjoint.ts";
import { GrammarError } from "./errors.ts";
import { Grammar } from "./grammar.ts";
import { emitBounded, emitInteger, emitNumber } from "./json-numbers.ts";
import { characterRule, emitOtherName, emitPattern, emitString, formatPattern } from "./json-strings.ts";
import { checkKeywords, countOf, expectOrder, type JsonType, listOf, pointerPart, requiredOf, resolve, schemaOf, type Schema, typesOf, valuesOf } from "./schema.ts";
import type { GrammarVocabulary } from "./trie.ts";

export interface JsonSchemaOptions {
  /** A space after each colon and comma: allowed (the default, as models differ in it) or never. There is no other white space. */
  readonly space?: "optional" | "never";
}

/**
 * The grammar of a schema's values as JSON text. Objects without `additionalProperties` get the members that `properties` names, or,
 * where it names none, any. Throws GrammarError with the place and the name of a keyword that is not supported, or if no value fits.
 */
export function compileJsonSchema(schema: unknown, vocabulary: GrammarVocabulary, { space = "optional" }: JsonSchemaOptions = {}): Grammar {
  const compiler = new SchemaCompiler(schema, space);
  return new Grammar(compiler.builder, compiler.rule(schemaOf(schema, "#"), "#"), vocabulary);
}

class SchemaCompiler {
  readonly builder = new AutomatonBuilder();
  readonly #rules = new Map<string, number>();
  readonly #character = characterRule(this.builder);

  constructor(readonly document: unknown, readonly space: "optional" | "never") {}

  /** The rule of the schema at a place; each place is compiled once, so that schemas may recur. */
  rule(schema: Schema, place: string): number {
    const known = this.#rules.get(place);
    if (known !== undefined) return known;
    return this.builder.rule(`the schema at ${place}`, (from, rule) => {
      this.#rules.set(place, rule);
      return this.#value(from, schema, place);
    });
  }

  #value(from: number, schema: Schema, place: string): number {
    const { builder } = this;
    if (schema === false) return builder.state(); // nothing leads there
    if (schema === true) return this.#any(from);
    checkKeywords(schema, place);
    if (schema.$ref !== undefined) {
      const { found, at } = resolve(this.document, schema.$ref, place);
      return builder.call(from, this.rule(found, at));
    }
    if (schema.allOf !== undefined) return this.#alternatives(from, schema, "allOf", place);
    if (schema.anyOf !== undefined) return this.#alternatives(from, schema, "anyOf", place);
    if (schema.oneOf !== undefined) return this.#alternatives(from, schema, "oneOf", place);
    const values = valuesOf(schema, place);
    if (values) return builder.either(from, values.map((value) => (at: number) => builder.literal(at, JSON.stringify(value))));
    const types = typesOf(schema, place);
    if (types === null) return this.#any(from);
    return builder.either(from, types.map((type) => (at: number) => this.#typed(at, type, schema, place)));
  }

  #alternatives(from: number, schema: JsonObject, keyword: "allOf" | "anyOf" | "oneOf", place: string): number {
    const ways = listOf(schema[keyword], `${place}/${keyword}`).map((way, i) => ({ way: schemaOf(way, `${place}/${keyword}/${i}`), at: `${place}/${keyword}/${i}` }));
    if (keyword === "allOf" && ways.length > 1) throw new GrammarError(`${place}: keyword "allOf" of several schemas is not supported; write their conditions as one schema`);
    if (keyword === "oneOf") {
      ways.forEach((a, i) => {
        for (const b of ways.slice(i + 1)) {
          if (!disjoint(this.document, a.way, b.way)) throw new GrammarError(`${place}: keyword "oneOf" is supported where no value fits two of its schemas, which ${a.at} and ${b.at} do not show; use "anyOf", or give both a required property with different "const"`);
        }
      });
    }
    return this.builder.either(from, ways.map(({ way, at }) => (state: number) => this.builder.call(state, this.rule(way, at))));
  }

  #typed(from: number, type: JsonType, schema: JsonObject, place: string): number {
    const { builder } = this;
    switch (type) {
      case "null":
        return builder.literal(from, "null");
      case "boolean":
        return builder.either(from, [(at) => builder.literal(at, "true"), (at) => builder.literal(at, "false")]);
      case "integer":
      case "number":
        return this.#number(from, schema, type === "integer", place);
      case "string":
        return this.#string(from, schema, place);
      case "array":
        return this.#array(from, schema, place);
      case "object":
        return this.#object(from, schema, place);
    }
  }

  #number(from: number, schema: JsonObject, integer: boolean, place: string): number {
    const [minimum, maximum, exclusiveMinimum, exclusiveMaximum] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"].map((keyword) => {
      const bound = schema[keyword];
      if (bound !== undefined && typeof bound !== "number") throw new GrammarError(`${place}: "${keyword}" is no number`);
      return bound;
    });
    const bounds = { minimum, maximum, exclusiveMinimum, exclusiveMaximum };
    if (Object.values(bounds).some((bound) => bound !== undefined)) return emitBounded(this.builder, from, bounds, integer, place);
    return integer ? emitInteger(this.builder, from) : emitNumber(this.builder, from);
  }

  #string(from: number, schema: JsonObject, place: string): number {
    const { pattern, format } = schema;
    const least = countOf(schema, "minLength", 0, place);
    const most = countOf(schema, "maxLength", Infinity, place);
    if (pattern === undefined && format === undefined) return emitString(this.builder, from, this.#character, least, expectOrder(least, most, `${place}: minLength and maxLength`));
    for (const keyword of ["minLength", "maxLength", ...(pattern === undefined ? [] : ["format"])]) {
      if (schema[keyword] !== undefined) throw new GrammarError(`${place}: keyword "${keyword}" beside "${pattern === undefined ? "format" : "pattern"}" is not supported; say it in a pattern`);
    }
    const expression = pattern ?? formatPattern(format, place);
    if (typeof expression !== "string") throw new GrammarError(`${place}: "pattern" is no string`);
    return emitPattern(this.builder, from, expression);
  }

  #array(from: number, schema: JsonObject, place: string): number {
    const { builder } = this;
    const least = countOf(schema, "minItems", 0, place);
    const most = expectOrder(least, countOf(schema, "maxItems", Infinity, place), `${place}: minItems and maxItems`);
    const first = schema.prefixItems === undefined ? [] : listOf(schema.prefixItems, `${place}/prefixItems`);
    const item = (at: number, i: number): number => {
      const own = i < first.length ? this.rule(schemaOf(first[i], `${place}/prefixItems/${i}`), `${place}/prefixItems/${i}`) : this.rule(schemaOf(schema.items ?? true, `${place}/items`), `${place}/items`);
      return builder.call(i === 0 ? at : this.#separator(at, ","), own);
    };
    let at = builder.literal(from, "[");
    const close = builder.state();
    if (least === 0) builder.skip(at, close);
    const fixed = most === Infinity ? Math.max(least, first.length, 1) : most; // items that are counted
    for (let i = 0; i < fixed; i++) {
      at = item(at, i);
      if (i + 1 >= least) builder.skip(at, close);
    }
    if (most === Infinity) builder.skip(item(at, fixed), at);
    return builder.literal(close, "]");
  }

  #object(from: number, schema: JsonObject, place: string): number {
    const { builder } = this;
    if (schema.properties !== undefined && !isObject(schema.properties)) throw new GrammarError(`${place}: "properties" is no object`);
    const properties = Object.entries(schema.properties ?? {});
    const extra = schemaOf(schema.additionalProperties ?? schema.properties === undefined, `${place}/additionalProperties`);
    const required = new Set(requiredOf(schema, place));
    const named = new Set(properties.map(([name]) => name));
    const unnamed = [...required].filter((name) => !named.has(name));
    const members = [
      ...properties.map(([name, value]) => ({ name, at: `${place}/properties/${pointerPart(name)}`, value })),
      ...unnamed.map((name) => ({ name, at: `${place}/additionalProperties`, value: schema.additionalProperties ?? true })),
    ];
    let none: number | null = builder.literal(from, "{"); // no member yet
    let some: number | null = null; // at least one
    const member = (name: (at: number) => number, rule: number): { key: number; after: number } => {
      const key = builder.state();
      if (none !== null) builder.skip(none, key);
      if (some !== null) builder.skip(this.#separator(some, ","), key);
      return { key, after: builder.call(this.#separator(name(key), ":"), rule) };
    };
    const joined = (after: number): number => {
      const to = builder.state();
      builder.skip(after, to);
      if (some !== null) builder.skip(some, to);
      return to;
    };
    for (const { name, at, value } of members) {
      const { after } = member((key) => builder.literal(key, JSON.stringify(name)), this.rule(schemaOf(value, at), at));
      some = required.has(name) ? after : joined(after);
      if (required.has(name)) none = null;
    }
    if (extra !== false) {
      const rule = this.rule(extra, `${place}/additionalProperties`);
      const taken = members.map(({ name }) => name);
      const { key, after } = member((at) => (taken.length ? emitOtherName(builder, at, taken) : emitString(builder, at, this.#character, 0, Infinity)), rule);
      builder.skip(this.#separator(after, ","), key);
      some = joined(after);
    }
    const close = builder.state();
    if (none !== null) builder.skip(none, close);
    if (some !== null) builder.skip(some, close);
    return builder.literal(close, "}");
  }

  #separator(from: number, mark: "," | ":"): number {
    const at = this.builder.literal(from, mark);
    return this.space === "never" ? at : this.builder.optional(at, (next) => this.builder.literal(next, " "));
  }

  #any(from: number): number {
    const anything = { type: ["object", "array", "string", "number", "boolean", "null"] };
    return this.builder.call(from, this.rule(anything, "any value"));
  }
}
