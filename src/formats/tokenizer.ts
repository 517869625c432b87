// From text to token ids as a text encoder takes them: CLIP's own tokenizer, or any other from its tokenizer.json.
import type { TokenizerFiles } from "./added-tokens.ts";
import { ClipTokenizer, readClipModel, readClipVocabulary } from "./clip-tokenizer.ts";
import { FormatError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";

export interface TextTokenizer {
  /** The length of every encoding. */
  readonly maxLength: number;
  encode(text: string): Encoding;
}

/** A text as ids with beginning and end, cut and padded to maxLength. */
export interface Encoding {
  readonly ids: Int32Array; // [maxLength]
  readonly attentionMask: Int32Array; // [maxLength], 1 for the text, 0 for padding
  /** What did not fit, as text, or null where all did. */
  readonly truncated: string | null;
}

/** What is needed of a model's folder. */
export interface TokenizerFolder {
  json(path: string): Promise<unknown | null>;
  text(path: string): Promise<string | null>;
}

/**
 * Reads a tokenizer from its folder, as transformers would: CLIP's from tokenizer.json or vocab.json and merges.txt, others
 * from tokenizer.json. `maxLength` holds where the files state none. Throws FormatError naming what is missing.
 */
export async function loadTokenizer(folder: TokenizerFolder, path = "tokenizer", options: { maxLength?: number } = {}): Promise<TextTokenizer> {
  const at = (name: string): string => (path === "" ? name : `${path}/${name}`);
  const object = async (name: string): Promise<JsonObject | null> => {
    const value = await folder.json(at(name));
    if (value !== null && !isObject(value)) throw new FormatError(`${at(name)}: a JSON object expected`);
    return value;
  };
  const [config, specialTokensMap, addedTokens, tokenizer, vocab] =
    await Promise.all(["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json", "vocab.json"].map(object));
  const files = { config: config ?? {}, specialTokensMap, addedTokens, tokenizer };
  try {
    refuseLeft(files.config);
    const named = files.config.tokenizer_class;
    const isClip = typeof named === "string" ? /^CLIPTokenizer(Fast)?$/.test(named) : tokenizer === null;
    if (tokenizer !== null && isClip) return new ClipTokenizer(readClipModel(tokenizer), files, lengthOf(files, options.maxLength));
    if (tokenizer !== null) {
      const { JsonTokenizer } = await import("./json-tokenizer.ts"); // a page that needs only CLIP's does not load it
      return new JsonTokenizer(files, tokenizer, lengthOf(files, options.maxLength));
    }
    const merges = await folder.text(at("merges.txt"));
    if (vocab === null || merges === null) throw new FormatError("neither tokenizer.json nor vocab.json with merges.txt");
    if (!isClip) throw new FormatError(`a ${String(named)} without its tokenizer.json is not supported: save it with transformers' tokenizer.save_pretrained(…)`);
    return new ClipTokenizer(readClipVocabulary(vocab, merges), files, lengthOf(files, options.maxLength));
  } catch (error) {
    throw error instanceof FormatError ? new FormatError(`${path === "" ? "tokenizer" : path}: ${error.message}`) : error;
  }
}

function refuseLeft(config: JsonObject): void {
  for (const option of ["padding_side", "truncation_side"]) {
    if (config[option] !== undefined && config[option] !== "right") throw new FormatError(`${option} "right" expected, got ${JSON.stringify(config[option])}`);
  }
}

/** The length that the files state, or else `otherwise`; transformers writes a huge number where there is none. Throws FormatError without either. */
function lengthOf({ config, tokenizer }: TokenizerFiles, otherwise: number | undefined): number {
  const truncation = tokenizer?.truncation;
  const stated = [config.model_max_length, isObject(truncation) ? truncation.max_length : undefined];
  const chosen = stated.find((length): length is number => typeof length === "number" && Number.isInteger(length) && length > 0 && length < 1e6) ?? otherwise;
  if (chosen === undefined) throw new FormatError("no length is stated (model_max_length in tokenizer_config.json)");
  return chosen;
}
