// Normalizers of tokenizer.json, equal to Hugging Face's tokenizers (normalizers/*.rs): what a text becomes before it is split.
import { FormatError } from "./errors.ts";
import { isObject } from "./json.ts";
import { precompiledCharsmap } from "./precompiled-charsmap.ts";
import { readPattern } from "./text-pattern.ts";

export type Normalizer = (text: string) => string;

const maxDepth = 16; // of sequences in sequences; a published file has one

/** Reads a normalizer (null: the text as it is). Throws FormatError naming what is not supported. */
export function readNormalizer(value: unknown, depth = 0): Normalizer {
  if (value === null || value === undefined) return (text) => text;
  if (!isObject(value) || depth > maxDepth) throw new FormatError(`a normalizer is no object: ${JSON.stringify(value)?.slice(0, 200)}`);
  switch (value.type) {
    case "Sequence": {
      const steps = listOf(value.normalizers, "normalizers").map((step) => readNormalizer(step, depth + 1));
      return (text) => steps.reduce((done, step) => step(done), text);
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD": {
      const form = value.type;
      return (text) => text.normalize(form);
    }
    case "Prepend": {
      const prefix = stringOf(value.prepend, "Prepend");
      return (text) => (text === "" ? "" : prefix + text);
    }
    case "Replace": {
      const pattern = readPattern(value.pattern);
      const content = stringOf(value.content, "Replace");
      return (text) => text.replace(pattern, () => content);
    }
    case "Strip": {
      const { strip_left: left, strip_right: right } = value;
      return (text) => {
        const started = left === false ? text : text.replace(/^\p{White_Space}+/u, "");
        return right === false ? started : trimEnd(started);
      };
    }
    case "Lowercase": // character by character: a sigma at a word's end stays as any other
      return (text) => Array.from(text, (character) => character.toLowerCase()).join("");
    case "StripAccents":
      return (text) => text.replace(/\p{M}/gu, "");
    case "Precompiled":
      return precompiledCharsmap(fromBase64(value.precompiled_charsmap));
    default:
      throw new FormatError(`the normalizer ${JSON.stringify(value.type)} is not supported`);
  }
}

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && /\p{White_Space}/u.test(text[end - 1])) end--;
  return text.slice(0, end);
}

function fromBase64(value: unknown): Uint8Array {
  try {
    return Uint8Array.from(atob(stringOf(value, "Precompiled")), (character) => character.charCodeAt(0));
  } catch (error) {
    throw error instanceof FormatError ? error : new FormatError("precompiled_charsmap is no base64");
  }
}

export function stringOf(value: unknown, what: string): string {
  if (typeof value !== "string") throw new FormatError(`${what}: text expected, got ${JSON.stringify(value)}`);
  return value;
}

export function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new FormatError(`${what}: a list expected, got ${JSON.stringify(value)}`);
  return value;
}
