// A text encoder's tokenizer from its tokenizer.json: ids cut and padded to one length.
import { specialToken, type TokenizerFiles } from "./added-tokens.ts";
import { fromByteLevel, readable } from "./byte-level.ts";
import { FormatError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";
import type { Encoding, TextTokenizer } from "./tokenizer.ts";
import { TokenizerJson } from "./tokenizer-json.ts";

export class JsonTokenizer implements TextTokenizer {
  readonly maxLength: number;
  readonly #tokenizer: TokenizerJson;
  readonly #pad: number;
  readonly #endOfWord: string;
  readonly #bare: boolean; // byte-level tokens, and no decoder is stated

  /** Throws FormatError for a tokenizer.json that is malformed or not supported, or without a padding token. */
  constructor(files: TokenizerFiles, json: JsonObject, maxLength: number) {
    this.maxLength = maxLength;
    try {
      this.#tokenizer = new TokenizerJson(json);
    } catch (error) {
      throw error instanceof FormatError ? new FormatError(`tokenizer.json cannot be read: ${error.message}`) : error;
    }
    for (const side of [json.truncation, json.padding]) {
      if (isObject(side) && side.direction !== "Right") throw new FormatError(`truncation and padding on the right expected, got ${JSON.stringify(side.direction)}`);
    }
    const named = specialToken(files, "pad_token");
    const padding = isObject(json.padding) ? json.padding.pad_id : undefined;
    const pad = named === null ? padding : this.#tokenizer.id(named);
    if (typeof pad !== "number") throw new FormatError("no padding token is stated (pad_token in tokenizer_config.json)");
    this.#pad = pad;
    const around = this.#around();
    if (around > maxLength) throw new FormatError(`a length of ${maxLength} leaves no room for ${around} special tokens`);
    this.#bare = (json.decoder ?? null) === null && JSON.stringify(json.pre_tokenizer ?? null).includes('"ByteLevel"');
    const suffix = isObject(json.model) ? json.model.end_of_word_suffix : undefined;
    this.#endOfWord = typeof suffix === "string" && suffix !== "" ? suffix : "</w>";
  }

  encode(text: string): Encoding {
    const content = this.#tokenizer.encode(text);
    const room = this.maxLength - this.#around();
    const { before, after } = this.#tokenizer.around;
    const used = [...before, ...content.slice(0, room), ...after];
    const ids = new Int32Array(this.maxLength).fill(this.#pad);
    ids.set(used);
    const attentionMask = new Int32Array(this.maxLength).fill(1, 0, used.length);
    return { ids, attentionMask, truncated: content.length > room ? this.#decode(content.slice(room)) : null };
  }

  /** How many tokens stand around a text. */
  #around(): number {
    return this.#tokenizer.around.before.length + this.#tokenizer.around.after.length;
  }

  #decode(ids: readonly number[]): string {
    const tokens = ids.map((id) => this.#tokenizer.token(id) ?? "");
    const stream = this.#tokenizer.open();
    const text = this.#bare ? fromByteLevel(tokens) : tokens.map((token) => stream.push(token)).join("") + stream.end();
    return readable(text, this.#endOfWord);
  }
}
