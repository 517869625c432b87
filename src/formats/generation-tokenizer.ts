// Tokenizers for generation: text to ids, and ids back to text as they come.
import { FormatError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";
import type { DecoderStream } from "./token-decoder.ts";
import { around, withSmallFiles } from "./token-files.ts";
import type { TokenizerFolder } from "./tokenizer.ts";
import { TokenizerJson } from "./tokenizer-json.ts";
import { asClass, classDefaults, vocabMergesJson } from "./tokenizer-classes.ts";

export interface EncodeOptions {
  /** Whether the tokens that stand around a text (beginning, end) are added. Default true. */
  addSpecialTokens?: boolean;
  /** Whether special tokens written out in the text become such tokens; false for text that is not trusted. Default true. */
  parseSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Leaves special tokens out. Default false. */
  skipSpecialTokens?: boolean;
}

export type SpecialTokenRole = "bos" | "eos" | "pad" | "unk";

export interface GenerationTokenizer {
  /** One more than the highest id; a model's embedding may have more rows. */
  readonly vocabSize: number;
  /** Ids of the tokens that the files give a role. */
  readonly roles: Readonly<Partial<Record<SpecialTokenRole, number>>>;
  /** Ids at which a text ends, as far as the tokenizer's own files say; generation_config.json may name more. */
  readonly endTokens: readonly number[];
  /** Special tokens as text → id. */
  readonly specialTokens: ReadonlyMap<string, number>;
  /** Ids of a text. Half a surrogate pair counts as U+FFFD; an empty text has only what stands around it. */
  encode(text: string, options?: EncodeOptions): Int32Array;
  /** The text of ids; ids outside the vocabulary are passed over. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** The same, as the ids come. */
  stream(options?: DecodeOptions): TextStream;
  /** The token as its file writes it ("Ġthe", "▁the", "<0x0A>"), or null. */
  token(id: number): string | null;
  /** The id of a token as its file writes it, or null. */
  id(token: string): number | null;
  /** The bytes that a token adds in the middle of a text; null for special tokens and ids without a token. */
  tokenBytes(id: number): Uint8Array | null;
}

/** Ids to text as they come: what `push` and `end` gave together is exactly what `decode` gives of all ids. */
export class TextStream {
  readonly #tokenizer: TokenizerJson;
  readonly #skip: boolean;
  #stream: DecoderStream;

  constructor(tokenizer: TokenizerJson, { skipSpecialTokens = false }: DecodeOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#skip = skipSpecialTokens;
    this.#stream = tokenizer.open();
  }

  /** The text that is certain now, never half a character. */
  push(ids: Iterable<number>): string {
    let text = "";
    for (const id of ids) {
      const token = this.#tokenizer.token(id);
      if (token !== null && !(this.#skip && this.#tokenizer.isSpecial(id))) text += this.#stream.push(token);
    }
    return text;
  }

  /** What was still held back; an incomplete character becomes U+FFFD. The stream begins anew. */
  end(): string {
    const rest = this.#stream.end();
    this.#stream = this.#tokenizer.open();
    return rest;
  }
}

/** A tokenizer.json with the roles of its tokens. */
export class JsonGenerationTokenizer implements GenerationTokenizer {
  readonly roles: GenerationTokenizer["roles"];
  readonly endTokens: readonly number[];
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly #tokenizer: TokenizerJson;

  constructor(json: JsonObject, roles: GenerationTokenizer["roles"], endTokens?: readonly number[]) {
    this.#tokenizer = new TokenizerJson(json);
    this.roles = roles;
    this.endTokens = endTokens ?? (roles.eos === undefined ? [] : [roles.eos]);
    this.specialTokens = new Map([...this.#tokenizer.added].filter(({ special }) => special).map(({ content, id }) => [content, id]));
  }

  get vocabSize(): number {
    return this.#tokenizer.vocabSize;
  }

  encode(text: string, { addSpecialTokens = true, parseSpecialTokens = true }: EncodeOptions = {}): Int32Array {
    const ids = this.#tokenizer.encode(text, parseSpecialTokens);
    const { before, after } = this.#tokenizer.around;
    return Int32Array.from(addSpecialTokens ? [...before, ...ids, ...after] : ids);
  }

  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const stream = this.stream(options);
    return stream.push(ids) + stream.end();
  }

  stream(options: DecodeOptions = {}): TextStream {
    return new TextStream(this.#tokenizer, options);
  }

  token(id: number): string | null {
    return this.#tokenizer.token(id);
  }

  id(token: string): number | null {
    return this.#tokenizer.id(token);
  }

  tokenBytes(id: number): Uint8Array | null {
    const token = this.#tokenizer.token(id);
    return token === null || this.#tokenizer.isSpecial(id) ? null : this.#tokenizer.decoder.bytes(token);
  }
}

/**
 * Reads a tokenizer from a model's folder, as transformers does: tokenizer.json, or GPT-2's vocab.json with merges.txt, with
 * what tokenizer_config.json, special_tokens_map.json and added_tokens.json say of special tokens. Throws FormatError.
 */
export async function loadGenerationTokenizer(folder: TokenizerFolder, path = ""): Promise<GenerationTokenizer> {
  const at = (name: string): string => (path === "" ? name : `${path}/${name}`);
  const object = async (name: string): Promise<JsonObject | null> => {
    const value = await folder.json(at(name));
    if (value !== null && !isObject(value)) throw new FormatError(`${at(name)}: a JSON object expected`);
    return value;
  };
  const [tokenizer, config, specialTokensMap, addedTokens] =
    await Promise.all(["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"].map(object));
  const { model_type: modelType } = (await object("config.json")) ?? {};
  const small = { config: { ...classDefaults(config?.tokenizer_class ?? (modelType === "gpt2" ? "GPT2Tokenizer" : undefined)), ...config }, specialTokensMap, addedTokens };
  try {
    const json = tokenizer === null
      ? await withoutTokenizerJson(object, () => folder.text(at("merges.txt")), small.config)
      : { post_processor: around(undefined, undefined), ...asClass(tokenizer, small.config, modelType) };
    const { json: whole, roles } = withSmallFiles(json, small);
    return new JsonGenerationTokenizer(whole, { bos: roles.bos_token, eos: roles.eos_token, pad: roles.pad_token, unk: roles.unk_token });
  } catch (error) {
    throw error instanceof FormatError ? new FormatError(`${path === "" ? "tokenizer" : path}: ${error.message}`) : error;
  }
}

async function withoutTokenizerJson(object: (name: string) => Promise<JsonObject | null>, mergesText: () => Promise<string | null>, config: JsonObject): Promise<JsonObject> {
  const [vocab, merges] = await Promise.all([object("vocab.json"), mergesText()]);
  if (vocab === null || merges === null) throw new FormatError("neither tokenizer.json nor vocab.json with merges.txt");
  return vocabMergesJson(vocab, merges, config);
}
