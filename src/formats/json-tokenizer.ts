// Any tokenizer from its tokenizer.json, through @huggingface/tokenizers, which splits, normalizes and encodes; truncation
// and padding, which it leaves out, are here.
import { Tokenizer } from "@huggingface/tokenizers";
import { specialToken, type TokenizerFiles } from "./added-tokens.ts";
import { fromByteLevel, readable } from "./byte-level.ts";
import { FormatError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";
import type { Encoding, TextTokenizer } from "./tokenizer.ts";

export class JsonTokenizer implements TextTokenizer {
  readonly maxLength: number;
  readonly #tokenizer: Tokenizer;
  readonly #pad: number;
  readonly #around: number; // tokens that the template adds to a text
  readonly #byteLevel: boolean;

  /** Throws FormatError for a tokenizer.json that the library does not read, or without a padding token. */
  constructor(files: TokenizerFiles, json: JsonObject, maxLength: number) {
    this.maxLength = maxLength;
    try {
      this.#tokenizer = new Tokenizer({ ...json, normalizer: exact(json.normalizer ?? null), pre_tokenizer: exact(json.pre_tokenizer ?? null) }, files.config);
    } catch (error) {
      throw new FormatError(`tokenizer.json cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
    for (const side of [json.truncation, json.padding]) {
      if (isObject(side) && side.direction !== "Right") throw new FormatError(`truncation and padding on the right expected, got ${JSON.stringify(side.direction)}`);
    }
    const named = specialToken(files, "pad_token");
    const padding = isObject(json.padding) ? json.padding.pad_id : undefined;
    const pad = named === null ? padding : this.#tokenizer.token_to_id(named);
    if (typeof pad !== "number") throw new FormatError("no padding token is stated (pad_token in tokenizer_config.json)");
    this.#pad = pad;
    this.#around = this.#wrap([]).length;
    if (this.#around > maxLength) throw new FormatError(`a length of ${maxLength} leaves no room for ${this.#around} special tokens`);
    this.#byteLevel = JSON.stringify(json.pre_tokenizer ?? null).includes('"ByteLevel"');
  }

  encode(text: string): Encoding {
    const content = this.#tokenizer.tokenize(text, { add_special_tokens: false });
    const room = this.maxLength - this.#around;
    const used = this.#wrap(content.slice(0, room)).map((token) => this.#tokenizer.token_to_id(token) ?? this.#unknown());
    const ids = new Int32Array(this.maxLength).fill(this.#pad);
    ids.set(used);
    const attentionMask = new Int32Array(this.maxLength).fill(1, 0, used.length);
    return { ids, attentionMask, truncated: content.length > room ? this.#decode(content.slice(room)) : null };
  }

  #wrap(tokens: string[]): string[] {
    const { post_processor: template } = this.#tokenizer;
    return template === null ? tokens : template.post_process(tokens, null, true).tokens;
  }

  #unknown(): number {
    const id = this.#tokenizer.model?.unk_token_id;
    if (id === undefined) throw new FormatError("a token is not in the vocabulary, and there is none for unknown ones");
    return id;
  }

  #decode(tokens: string[]): string {
    const decoder = this.#tokenizer.decoder;
    const text = decoder !== null ? decoder.decode(tokens) : this.#byteLevel ? fromByteLevel(tokens) : tokens.join(" ");
    return readable(text, this.#tokenizer.model?.end_of_word_suffix ?? "</w>");
  }
}

/**
 * A normalizer or pre-tokenizer with the two parts replaced in which the library differs from the original:
 * Lowercase goes character by character there, but here by the whole text, where JavaScript gives a sigma at a word's end
 * its final form; ByteLevel's own split takes U+FEFF for a space here.
 */
function exact(part: unknown): unknown {
  if (!isObject(part)) return part;
  if (part.type === "Lowercase") return sequence("normalizers", { type: "Replace", pattern: { String: "Σ" }, content: "σ" }, part);
  if (part.type === "ByteLevel" && part.use_regex !== false && part.add_prefix_space !== true) {
    const split = { type: "Split", pattern: { Regex: byteLevelSplit }, behavior: "Isolated", invert: false };
    return sequence("pretokenizers", split, { ...part, use_regex: false });
  }
  for (const list of ["normalizers", "pretokenizers"]) {
    const parts = part[list];
    if (Array.isArray(parts)) return { ...part, [list]: parts.map(exact) };
  }
  return part;
}

const byteLevelSplit = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"; // GPT-2's

function sequence(list: string, ...parts: unknown[]): unknown {
  return { type: "Sequence", [list]: parts };
}
