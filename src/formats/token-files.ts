// What a folder's small files add to its tokenizer.json, as transformers applies them: tokenizer_config.json with its
// added_tokens_decoder, special_tokens_map.json and added_tokens.json; whether beginning and end are added; which token ends.
import { type AddedEntry, readAddedEntry } from "./added-vocabulary.ts";
import { FormatError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";
import { listOf } from "./text-normalizer.ts";

export interface SmallFiles {
  /** tokenizer_config.json, or {}. */
  readonly config: JsonObject;
  readonly specialTokensMap: JsonObject | null;
  readonly addedTokens: JsonObject | null;
}

const roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"] as const;
export type Role = (typeof roles)[number];

/**
 * A tokenizer.json with what the other files add, and the ids of the tokens that have a role. add_bos_token and
 * add_eos_token say what stands around a text where `json` does not (a stated tokenizer.json does). Throws FormatError.
 */
export function withSmallFiles(json: JsonObject, { config, specialTokensMap, addedTokens }: SmallFiles): { json: JsonObject; roles: Partial<Record<Role, number>> } {
  const listed = isObject(config.added_tokens_decoder) ? config.added_tokens_decoder : null;
  const named: JsonObject = listed === null ? { ...config, ...specialTokensMap } : config;
  const vocabulary = new Vocabulary(json);
  const given = new Map<string, AddedEntry>(); // how files write a token that a role may name
  for (const [id, token] of Object.entries(listed ?? {})) given.set(...vocabulary.add(token, Number(id)));
  if (listed === null) {
    const specials = new Set(roles.map((role) => contentOf(named[role])));
    for (const [content, id] of Object.entries(addedTokens ?? {})) given.set(...vocabulary.add({ content, special: specials.has(content) }, Number(id)));
    for (const entry of vocabulary.stated) given.set(entry.content, entry);
  }
  const ids: Partial<Record<Role, number>> = {};
  for (const role of roles) {
    const content = contentOf(named[role]);
    if (content === null || content === "") continue;
    vocabulary.addSpecial(given.get(content) ?? special(named[role], content));
    ids[role] = vocabulary.id(content);
  }
  const extra = named.extra_special_tokens ?? named.additional_special_tokens;
  const own = Object.entries(named).filter(([name, value]) => name.endsWith("_token") && !roles.some((role) => role === name) && typeof value === "string");
  for (const token of [...own.map(([, value]) => value), ...(Array.isArray(extra) ? extra : isObject(extra) ? Object.values(extra) : [])]) {
    const content = contentOf(token);
    if (content !== null && content !== "") vocabulary.addSpecial(given.get(content) ?? special(token, content));
  }
  return { json: { ...json, added_tokens: vocabulary.list(), post_processor: json.post_processor ?? around(config.add_bos_token === true ? ids.bos_token : undefined, config.add_eos_token === true ? ids.eos_token : undefined) }, roles: ids };
}

/** A post-processor that puts one token before a text, one after it, or none. */
export function around(before: number | undefined, after: number | undefined): JsonObject {
  const special = (id: number | undefined): JsonObject[] => (id === undefined ? [] : [{ SpecialToken: { id: String(id), type_id: 0 } }]);
  const known = [before, after].filter((id) => id !== undefined);
  return {
    type: "TemplateProcessing",
    single: [...special(before), { Sequence: { id: "A", type_id: 0 } }, ...special(after)],
    special_tokens: Object.fromEntries(known.map((id) => [String(id), { id: String(id), ids: [id], tokens: [] }])),
  };
}

/** The added tokens of a tokenizer.json while more come: new ones get the ids after the last. */
class Vocabulary {
  readonly #model: ReadonlyMap<string, number>;
  readonly #added = new Map<number, AddedEntry>();
  readonly #ids = new Map<string, number>();
  readonly stated: readonly AddedEntry[];

  constructor(json: JsonObject) {
    const vocab = isObject(json.model) ? json.model.vocab : undefined;
    this.#model = Array.isArray(vocab)
      ? new Map(vocab.map((entry: unknown, id) => [Array.isArray(entry) ? String(entry[0]) : "", id]))
      : new Map(Object.entries(isObject(vocab) ? vocab : {}).filter((pair): pair is [string, number] => typeof pair[1] === "number"));
    this.stated = listOf(json.added_tokens ?? [], "added_tokens").map((entry) => readAddedEntry(entry, isObject(entry) ? entry.id : undefined));
    for (const entry of this.stated) this.#put(entry);
  }

  /** A token as added_tokens_decoder has it. One that is there already stays where it is and gets the new options. */
  add(value: unknown, id: number): [content: string, entry: AddedEntry] {
    const entry = readAddedEntry(value, id);
    this.#put({ ...entry, id: this.#place(entry.content) });
    return [entry.content, entry];
  }

  addSpecial(entry: AddedEntry): void {
    this.#put({ ...entry, special: true, id: this.#place(entry.content) });
  }

  id(content: string): number | undefined {
    return this.#ids.get(content);
  }

  list(): JsonObject[] {
    return [...this.#added.values()].map(({ singleWord, ...entry }) => ({ ...entry, single_word: singleWord }));
  }

  #put(entry: AddedEntry): void {
    if (entry.content === "") return;
    this.#added.set(entry.id, entry);
    this.#ids.set(entry.content, entry.id);
  }

  #place(content: string): number {
    const known = this.#ids.get(content) ?? this.#model.get(content);
    if (known !== undefined) return known;
    const last = [...this.#added.keys()].reduce((max, id) => Math.max(max, id), -1);
    return Math.max(last + 1, this.#model.size);
  }
}

/** A special token that is written out where it is used, as text or with options. */
function special(value: unknown, content: string): AddedEntry {
  return readAddedEntry({ ...(isObject(value) ? value : {}), content, special: true }, 0);
}

function contentOf(value: unknown): string | null {
  const content = isObject(value) ? value.content : value;
  if (content === undefined || content === null) return null;
  if (typeof content !== "string") throw new FormatError(`a special token is no text: ${JSON.stringify(value)}`);
  return content;
}
