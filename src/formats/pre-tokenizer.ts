// Pre-tokenizers of tokenizer.json, equal to Hugging Face's tokenizers (pre_tokenizers/*.rs): where a text is cut into the
// words that the model sees one at a time.
import { toByteLevel } from "./byte-level.ts";
import { FormatError } from "./errors.ts";
import { isObject } from "./json.ts";
import { readPattern, splitAt, type SplitBehavior } from "./text-pattern.ts";
import { listOf } from "./text-normalizer.ts";

/** Cuts a text into words; `first` says that it begins the input. */
export type PreTokenizer = (text: string, first: boolean) => string[];

const byteLevelWords = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu; // GPT-2's
const punctuation = /[\p{P}!-/:-@[-`{-~]/gu;
const maxDepth = 16; // of sequences in sequences; a published file has one

/** Reads a pre-tokenizer (null: a text is one word). Throws FormatError naming what is not supported. */
export function readPreTokenizer(value: unknown, depth = 0): PreTokenizer {
  if (value === null || value === undefined) return (text) => [text];
  if (!isObject(value) || depth > maxDepth) throw new FormatError(`a pre-tokenizer is no object: ${JSON.stringify(value)?.slice(0, 200)}`);
  switch (value.type) {
    case "Sequence": {
      const steps = listOf(value.pretokenizers, "pretokenizers").map((step) => readPreTokenizer(step, depth + 1));
      return (text, first) => steps.reduce((pieces, step) => pieces.flatMap((piece, i) => step(piece, first && i === 0)).filter((piece) => piece !== ""), [text]);
    }
    case "ByteLevel": {
      const { add_prefix_space: prefix, use_regex: words } = value;
      return (text) => {
        const prefixed = prefix !== false && !text.startsWith(" ") ? ` ${text}` : text;
        return (words === false ? [prefixed] : splitAt(prefixed, byteLevelWords, "Isolated")).map(toByteLevel);
      };
    }
    case "Split": {
      const pattern = readPattern(value.pattern);
      const behavior = behaviorOf(value.behavior);
      const invert = value.invert === true;
      return (text) => splitAt(text, pattern, behavior, invert);
    }
    case "Metaspace":
      return metaspace(value.replacement, schemeOf(value.prepend_scheme, value.add_prefix_space), value.split !== false);
    case "Digits": {
      const behavior = value.individual_digits === true ? "Isolated" : "Contiguous";
      return (text) => splitAt(text, /\p{N}/gu, behavior);
    }
    case "Punctuation": {
      const behavior = value.behavior === undefined ? "Isolated" : behaviorOf(value.behavior);
      return (text) => splitAt(text, punctuation, behavior);
    }
    case "Whitespace":
      return (text) => splitAt(text, /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d\p{White_Space}]+/gu, "Removed", true);
    case "WhitespaceSplit":
      return (text) => splitAt(text, /\p{White_Space}/gu, "Removed");
    case "BertPreTokenizer":
      return (text) => splitAt(text, /\p{White_Space}/gu, "Removed").flatMap((word) => splitAt(word, punctuation, "Isolated"));
    default:
      throw new FormatError(`the pre-tokenizer ${JSON.stringify(value.type)} is not supported`);
  }
}

type PrependScheme = "always" | "first" | "never";

function metaspace(replacement: unknown, scheme: PrependScheme, split: boolean): PreTokenizer {
  if (typeof replacement !== "string" || Array.from(replacement).length !== 1) throw new FormatError(`Metaspace: a replacement of one character expected, got ${JSON.stringify(replacement)}`);
  const pattern = readPattern({ String: replacement });
  return (text, first) => {
    const spaced = text.replaceAll(" ", replacement);
    const prepends = spaced !== "" && !spaced.startsWith(replacement) && (scheme === "always" || (scheme === "first" && first));
    const whole = prepends ? replacement + spaced : spaced;
    return split ? splitAt(whole, pattern, "MergedWithNext") : [whole];
  };
}

/** Metaspace's prepend_scheme, which older files state as add_prefix_space. Throws FormatError. */
export function schemeOf(scheme: unknown, addPrefixSpace: unknown): PrependScheme {
  if (scheme === undefined || scheme === null) return addPrefixSpace === false ? "never" : "always";
  if (scheme !== "always" && scheme !== "first" && scheme !== "never") throw new FormatError(`Metaspace: the prepend_scheme ${JSON.stringify(scheme)} is not known`);
  return scheme;
}

function behaviorOf(value: unknown): SplitBehavior {
  const known: SplitBehavior[] = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];
  const behavior = known.find((name) => name === value);
  if (behavior === undefined) throw new FormatError(`the behavior ${JSON.stringify(value)} of a split is not known`);
  return behavior;
}
