// Post-processors of tokenizer.json (processors/*.rs): the special tokens that stand around a text.
import { FormatError } from "./errors.ts";
import { isObject } from "./json.ts";
import { listOf, stringOf } from "./text-normalizer.ts";

/** Ids before a text and after it. */
export interface Around {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Reads what a post-processor (null: nothing) puts around a single text. Throws FormatError naming what is not supported. */
export function readPostProcessor(value: unknown): Around {
  if (value === null || value === undefined) return { before: [], after: [] };
  if (!isObject(value)) throw new FormatError("a post-processor is no object");
  switch (value.type) {
    case "ByteLevel": // changes offsets only
      return { before: [], after: [] };
    case "Sequence": {
      const steps = listOf(value.processors, "processors").map((step) => {
        if (isObject(step) && step.type === "Sequence") throw new FormatError("a sequence of post-processors in another is not supported");
        return readPostProcessor(step);
      });
      return { before: steps.reduceRight<number[]>((all, { before }) => [...all, ...before], []), after: steps.flatMap(({ after }) => after) };
    }
    case "TemplateProcessing":
      return template(value.single, isObject(value.special_tokens) ? value.special_tokens : {});
    case "RobertaProcessing":
    case "BertProcessing": {
      const [before, after] = [value.cls, value.sep].map((pair) => idOf(Array.isArray(pair) ? pair[1] : undefined));
      return { before: [before], after: [after] };
    }
    default:
      throw new FormatError(`the post-processor ${JSON.stringify(value.type)} is not supported`);
  }
}

function template(single: unknown, tokens: Readonly<Record<string, unknown>>): Around {
  const around: { before: number[]; after: number[] } = { before: [], after: [] };
  let side: "before" | "after" = "before";
  let texts = 0;
  for (const item of listOf(single, "TemplateProcessing")) {
    const { SpecialToken: special, Sequence: sequence } = isObject(item) ? item : {};
    if (isObject(sequence)) {
      side = "after";
      texts++;
      continue;
    }
    const name = stringOf(isObject(special) ? special.id : undefined, "TemplateProcessing: a special token's id");
    const token = Object.hasOwn(tokens, name) ? tokens[name] : undefined;
    around[side].push(...listOf(isObject(token) ? token.ids : undefined, `TemplateProcessing: the ids of ${name}`).map(idOf));
  }
  if (texts !== 1) throw new FormatError(`TemplateProcessing: one place for the text expected, got ${texts}`);
  return around;
}

function idOf(value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 0xff_ffff) throw new FormatError(`a special token's id expected, got ${JSON.stringify(value)}`);
  return value;
}
