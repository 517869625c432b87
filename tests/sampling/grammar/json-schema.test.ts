// JSON schemas as grammars: whatever tokens are drawn, the text parses and fits its schema; what is not supported is named.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrammarError } from "../../../src/sampling/grammar/errors.ts";
import { compileJsonSchema } from "../../../src/sampling/grammar/json-schema.ts";
import { lcg } from "../../kernels/values.ts";
import { type TestSchema, validates } from "./validate.ts";
import { allowedTokens, bytesVocabulary, fits, gpt2Vocabulary, randomVocabulary, spell } from "./vocabularies.ts";

const names = fc.constantFrom("a", "b", "ab", "name", "é", 'quo"te', "日本", "");
const values = fc.oneof(fc.constantFrom(null, true, 3, -1.5, "a", "é\n", '"'), fc.constant({ a: [1, "x"] }));
const range = (keywords: readonly [string, string], low: fc.Arbitrary<number>, size: fc.Arbitrary<number>): fc.Arbitrary<Record<string, number>> =>
  fc.record({ low: fc.option(low), size: fc.option(size) }).map(({ low: from, size: length }) => ({ ...(from === null ? {} : { [keywords[0]]: from }), ...(length === null ? {} : { [keywords[1]]: (from ?? 0) + length }) }));
const scalar: fc.Arbitrary<TestSchema> = fc.oneof(
  fc.constantFrom<TestSchema>({ type: "null" }, { type: "boolean" }, { type: "integer" }, { type: "number" }, { type: "string" }, { type: ["string", "null"] }),
  fc.constantFrom("date", "date-time", "time", "uuid", "email", "ipv4").map((format) => ({ type: "string", format })),
  fc.constantFrom("^[a-c]{2,4}$", "x", "^\\d+(\\.\\d\\d)?$", '^"[^"\\\\]*"$', "é|^z", "\\p{Lu}$", "^(ab|c)*\\n?$").map((pattern) => ({ type: "string", pattern })),
  range(["minLength", "maxLength"], fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 4 })).map((counts) => ({ type: "string", ...counts })),
  range(["minimum", "maximum"], fc.integer({ min: -120, max: 120 }), fc.integer({ min: 0, max: 1200 })).map((bounds) => ({ type: "integer", ...bounds })),
  range(["exclusiveMinimum", "maximum"], fc.double({ min: -50, max: 50, noNaN: true }), fc.double({ min: 0.01, max: 90, noNaN: true })).map((bounds) => ({ type: "number", ...bounds })),
  fc.uniqueArray(values, { minLength: 1, maxLength: 4 }).map((list) => ({ enum: list })),
  values.map((value) => ({ const: value })),
);
const { schema: schemas } = fc.letrec<{ schema: TestSchema; array: TestSchema; object: TestSchema }>((tie) => ({
  schema: fc.oneof({ depthSize: "small", withCrossShrink: true }, scalar, tie("array"), tie("object"), fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf }))),
  array: fc.tuple(tie("schema"), range(["minItems", "maxItems"], fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 3 })), fc.option(fc.array(tie("schema"), { maxLength: 2 }))).map(([items, counts, first]) => ({ type: "array", items, ...counts, ...(first ? { prefixItems: first } : {}) })),
  object: fc.tuple(fc.uniqueArray(fc.tuple(names, tie("schema"), fc.boolean()), { maxLength: 4, selector: ([name]) => name }), fc.option(fc.oneof(fc.boolean(), tie("schema")))).map(([members, additional]) => ({
    type: "object",
    properties: Object.fromEntries(members.map(([name, value]) => [name, value])),
    required: members.filter(([, , required]) => required).map(([name]) => name),
    ...(additional === null ? {} : { additionalProperties: additional }),
  })),
}));
const person: TestSchema = {
  $defs: { person: { type: "object", properties: { name: { type: "string", maxLength: 8 }, parents: { type: "array", items: { $ref: "#/$defs/person" }, maxItems: 2 }, spouse: { anyOf: [{ $ref: "#/$defs/person" }, { type: "null" }] } }, required: ["name", "spouse"], additionalProperties: false } },
  $ref: "#/$defs/person",
};

describe("a compiled JSON schema", () => {
  it("lets every draw end in JSON that fits, never without a token to draw, within its budget", () => {
    fc.assert(
      fc.property(schemas, fc.nat(), fc.integer({ min: 0, max: 60 }), (schema, seed, spare) => {
        const next = lcg(seed);
        const vocabulary = randomVocabulary(next);
        const grammar = compileJsonSchema(schema, vocabulary, { space: next() < 0.5 ? "optional" : "never" });
        const least = spell(grammar, vocabulary, next, 0).tokens; // no budget at all: the shortest way out
        const { text, tokens } = spell(grammar, vocabulary, next, least + spare);
        expect(tokens).toBeLessThanOrEqual(least + spare);
        expect(validates(JSON.parse(text), schema), text).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("follows references into themselves", () => {
    const next = lcg(1);
    for (let run = 0; run < 8; run++) {
      const vocabulary = randomVocabulary(next);
      const { text, tokens } = spell(compileJsonSchema(person, vocabulary), vocabulary, next, 150);
      expect(tokens).toBeLessThanOrEqual(150);
      expect(validates(JSON.parse(text), person), text).toBe(true);
    }
    expect(fits(compileJsonSchema(person, bytesVocabulary), '{"name":"A","parents":[{"name":"B","spouse":null}],"spouse":{"name":"C","spouse":null}}')).toBe(true);
  });

  it("spells any value to any depth", () => {
    const grammar = compileJsonSchema(true, bytesVocabulary);
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }).filter((value) => !/\d{16}|e[+-]\d{3}|-0/.test(JSON.stringify(value))), (value) => {
      expect(fits(grammar, JSON.stringify(value)), JSON.stringify(value)).toBe(true);
    }), { numRuns: 60 });
    expect(fits(grammar, "[".repeat(100) + "]".repeat(100))).toBe(true);
    for (const text of ["", "[1,]", "{a:1}", "01", "1.", "+1", "nul", '"\n"', '"\\x"', '"\\ud800"', "[1]]", " 1", '{"a" :1}']) expect(fits(grammar, text), text).toBe(false);
    for (const text of ['"\\ud83d\\ude00"', '"\\u00e9\\/"', "1e5", '{"a": 1, "b":[]}']) expect(fits(grammar, text), text).toBe(true);
  });

  it("holds numbers to their bounds, digit by digit", () => {
    const bounds = fc.record({ a: fc.oneof(fc.integer({ min: -300, max: 300 }), fc.double({ min: -20, max: 20, noNaN: true })), b: fc.oneof(fc.integer({ min: -300, max: 300 }), fc.double({ min: -20, max: 20, noNaN: true })), open: fc.boolean(), integer: fc.boolean() });
    fc.assert(
      fc.property(bounds, fc.array(fc.double({ min: -1.1, max: 2.1, noNaN: true }), { minLength: 20, maxLength: 20 }), ({ a, b, open, integer }, places) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        if (open ? Math.ceil(low + 1) > Math.floor(high - 1) : Math.ceil(low) > Math.floor(high)) return;
        const schema = { type: integer ? "integer" : "number", [open ? "exclusiveMinimum" : "minimum"]: low, [open ? "exclusiveMaximum" : "maximum"]: high };
        const grammar = compileJsonSchema(schema, bytesVocabulary);
        for (const place of [...places, 0, 1]) {
          const value = low + place * (high - low);
          for (const text of [String(Math.round(value)), value.toFixed(1), value.toFixed(3)]) {
            const plain = /^(-(?=.*[1-9]))?(0|[1-9]\d*)(\.\d+)?$/.test(text) && !(integer && text.includes("."));
            expect(fits(grammar, text), `${text} in ${JSON.stringify(schema)}`).toBe(plain && validates(Number(text), schema));
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it("keeps additional names apart from declared ones, in every spelling", () => {
    const grammar = compileJsonSchema({ properties: { ab: { const: 1 }, é: { const: 2 } }, additionalProperties: { type: "null" } }, bytesVocabulary);
    for (const text of ['{"ab":1}', '{"abc":null}', '{"a":null,"è":null}', '{"":null}', '{"ab":1,"é":2,"x":null,"y":null}']) expect(fits(grammar, text), text).toBe(true);
    for (const text of ['{"ab":null}', '{"é":null}', '{"\\u0061b":null}', '{"é":2,"ab":1}', '{"x":null,"ab":1}']) expect(fits(grammar, text), text).toBe(false);
  });

  it("takes oneOf where schemas are told apart by type, value or a required property", () => {
    const cat = { type: "object", properties: { kind: { const: "cat" }, lives: { type: "integer" } }, required: ["kind"] };
    const dog = { type: "object", properties: { kind: { enum: ["dog", "wolf"] } }, required: ["kind"] };
    const document = { oneOf: [{ $ref: "#/$defs/cat" }, dog, { type: "string" }, { enum: [1, 2] }], $defs: { cat } };
    const grammar = compileJsonSchema(document, bytesVocabulary);
    for (const text of ['{"kind":"cat","lives":9}', '{"kind":"wolf"}', '"x"', "2"]) expect(fits(grammar, text), text).toBe(true);
    expect(fits(grammar, '{"kind":"cow"}')).toBe(false);
    const alike = { type: "object", properties: { kind: { type: "string" } } };
    expect(() => compileJsonSchema({ oneOf: [cat, alike] }, bytesVocabulary)).toThrow('#: keyword "oneOf" is supported where no value fits two of its schemas, which #/oneOf/0 and #/oneOf/1 do not show');
    expect(() => compileJsonSchema({ oneOf: [{ type: "integer" }, { type: "number" }] }, bytesVocabulary)).toThrow('"oneOf"');
  });

  it.each<[unknown, string]>([
    [{ type: "array", uniqueItems: true }, '#: keyword "uniqueItems" is not supported'],
    [{ properties: { "a/b": { not: {} } } }, '#/properties/a~1b: keyword "not" is not supported'],
    [{ type: "string", format: "iri" }, '#: format "iri" is not supported; there are date'],
    [{ type: "string", pattern: "(?=a)" }, 'pattern "(?=a)": a look-around (?= is not supported'],
    [{ type: "string", pattern: "a", maxLength: 3 }, '#: keyword "maxLength" beside "pattern" is not supported'],
    [{ anyOf: [true], properties: {} }, '#: keyword "properties" beside "anyOf" is not supported'],
    [{ allOf: [{ type: "string" }, { type: "string" }] }, '#: keyword "allOf" of several schemas is not supported'],
    [{ $ref: "https://example.org/x" }, '#: $ref "https://example.org/x" is not supported'],
    [{ $ref: "#/$defs/x" }, '#: $ref "#/$defs/x" leads nowhere'],
    [{ $ref: "#" }, "no text fits the schema at #"],
    [{ anyOf: [{ $ref: "#" }, { type: "null" }] }, "begins with itself"],
    [{ type: "integer", minimum: 0.2, maximum: 0.8 }, "no text fits"],
    [{ type: "object", properties: { a: false }, required: ["a"] }, "no text fits"],
    [{ type: "strin" }, '#: type "strin" is not supported'],
    [{ minLength: 4, maxLength: 3 }, "#: minLength and maxLength leave nothing between 4 and 3"],
    [[], "#: a schema is an object, true or false"],
    [{ type: "array", minItems: 3e6 }, "ask for smaller counts"],
  ])("refuses %j by name", (schema, message) => {
    expect(() => compileJsonSchema(schema, bytesVocabulary)).toThrow(message);
  });

  it("compiles anything, or refuses it by a GrammarError", () => {
    const keys = fc.constantFrom("type", "enum", "const", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems", "anyOf", "oneOf", "allOf", "$ref", "$defs", "pattern", "format", "minLength", "maxLength", "minimum", "exclusiveMaximum", "title", "a");
    const leaves = fc.oneof(fc.constantFrom<unknown>("#", "#/$defs/a", "#/anyOf/0", "string", "integer", "object", "array", "a*", "(b|", "date", -1, 2, 0.5, 1e300, true, false, null), fc.constant(["object", "null"]), fc.constant(["a"]));
    const { schema: anything } = fc.letrec<{ schema: unknown }>((tie) => ({ schema: fc.oneof({ depthSize: "medium" }, leaves, fc.array(tie("schema"), { maxLength: 3 }), fc.dictionary(keys, tie("schema"), { maxKeys: 3 })) }));
    let compiled = 0;
    fc.assert(
      fc.property(fc.dictionary(keys, anything, { maxKeys: 3 }), (schema) => {
        try {
          JSON.parse(spell(compileJsonSchema(schema, bytesVocabulary), bytesVocabulary, lcg(1), 20).text);
          compiled++;
        } catch (error) {
          expect(error).toBeInstanceOf(GrammarError);
        }
      }),
      { numRuns: 400 },
    );
    expect(compiled).toBeGreaterThan(20);
  });

  it("needs an end token, and tokens for what it must spell", () => {
    expect(() => compileJsonSchema(true, { ...bytesVocabulary, endTokens: [] })).toThrow("no end token");
    const few = { vocabSize: 4, endTokens: [3], tokenBytes: (id: number) => new TextEncoder().encode(["1", "2", "é"][id]) };
    expect(() => compileJsonSchema({ type: "boolean" }, few)).toThrow("the vocabulary has no tokens for some bytes of every text that fits");
    const state = compileJsonSchema({ type: "integer" }, few).start();
    expect(allowedTokens(state.mask())).toEqual([0, 1]);
    state.advance(0);
    expect(allowedTokens(state.mask())).toEqual([0, 1, 3]);
  });

  it("passes characters that only a whole token spells", () => {
    const texts = ['"', "é", "a"].map((text) => new TextEncoder().encode(text));
    const vocabulary = { vocabSize: 4, endTokens: [3], tokenBytes: (id: number) => texts[id] ?? null };
    const state = compileJsonSchema({ type: "string" }, vocabulary).start();
    state.advance(0);
    expect(allowedTokens(state.mask())).toEqual([0, 1, 2]);
    state.advance(1);
    state.advance(0);
    expect(state.finished).toBe(true);
    expect(() => state.advance(1)).toThrow("grammar: token 1 does not fit here");
  });

  const gpt2 = gpt2Vocabulary();
  it.skipIf(!gpt2)("spells with GPT-2's tokens (absent: ../shared/weights/gpt2-bpe.zip)", () => {
    if (!gpt2) return;
    const grammar = compileJsonSchema(person, gpt2);
    const next = lcg(5);
    for (let run = 0; run < 5; run++) expect(validates(JSON.parse(spell(grammar, gpt2, next, 60).text), person)).toBe(true);
  });
});
