// Which tokens may be chosen next: what a grammar leaves, and no end before the fewest tokens that were asked for.
import type { GenerationTokenizer } from "../formats/generation-tokenizer.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Grammar, GrammarState } from "../sampling/grammar/grammar.ts";
import type { GrammarVocabulary } from "../sampling/grammar/trie.ts";
import { type Tensor, upload } from "../tensor/tensor.ts";
import type { TextRequest } from "./text-generation-request.ts";
import type { TextDefaults } from "./text-generation-types.ts";

export interface MaskedModel {
  readonly gpu: Gpu;
  readonly vocabSize: number;
  readonly tokenizer: GenerationTokenizer;
  readonly endTokens: TextDefaults["endTokens"];
}

/** The masks of one generation, for its texts in step. */
export class ChoiceMasks {
  readonly #states: GrammarState[] | null;
  readonly #taken: number[];
  #chosen = 0;
  #noEnd: Tensor | null = null; // u32 [B, words], while no end token may come

  /** `grammar` null where any token may follow any other. */
  constructor(private readonly model: MaskedModel, private readonly request: Pick<TextRequest, "prompts" | "minNewTokens" | "maxNewTokens">, grammar: Grammar | null) {
    this.#states = grammar && request.prompts.map(() => grammar.start());
    this.#taken = request.prompts.map(() => 0);
  }

  /** Whether a choice needs to know the token before it. */
  get each(): boolean {
    return this.#states !== null;
  }

  /** The mask of the next choice; it belongs to the open scope, or is kept here. */
  next(): Tensor | undefined {
    const { gpu, vocabSize, endTokens } = this.model;
    const { prompts: { length: batch }, minNewTokens, maxNewTokens } = this.request;
    const words = Math.ceil(vocabSize / 32);
    const early = this.#chosen++ < minNewTokens;
    if (this.#states) {
      const all = new Uint32Array(batch * words);
      this.#states.forEach((state, row) => {
        const mask = state.mask(maxNewTokens - this.#taken[row]);
        const rest = early ? forbid(mask, endTokens) : mask;
        all.set(rest.some((word) => word !== 0) ? rest : mask, row * words);
      });
      return upload(gpu, all, [batch, words], "u32");
    }
    if (!early) return undefined;
    if (!this.#noEnd) {
      const row = forbid(new Uint32Array(words).fill(0xffffffff), endTokens);
      const all = new Uint32Array(batch * words);
      for (let i = 0; i < batch; i++) all.set(row, i * words);
      const mask = upload(gpu, all, [batch, words], "u32");
      gpu.openScope?.remove(mask);
      this.#noEnd = mask;
    }
    return this.#noEnd;
  }

  /** Tells the token that a text went on with; true where nothing may follow. */
  take(row: number, token: number): boolean {
    this.#taken[row]++;
    const state = this.#states?.[row];
    state?.advance(token);
    return state?.finished ?? false;
  }

  dispose(): void {
    this.#noEnd?.dispose();
  }
}

function forbid(mask: Uint32Array<ArrayBuffer>, tokens: readonly number[]): Uint32Array<ArrayBuffer> {
  const rest = mask.slice();
  for (const id of tokens) rest[id >> 5] &= ~(1 << (id & 31));
  return rest;
}

/** What a tokenizer's grammars share, and the last one. */
interface Grammars {
  readonly vocabulary: GrammarVocabulary;
  last: { readonly key: string; readonly grammar: Grammar } | null;
}

const known = new WeakMap<GenerationTokenizer, Grammars>();

/** The grammar of a response format, compiled once. Throws GrammarError for what is not supported. */
export async function grammarOf(format: TextRequest["format"], { vocabSize, endTokens, tokenizer }: Omit<MaskedModel, "gpu">): Promise<Grammar | null> {
  if (format === null) return null;
  const grammars = known.get(tokenizer) ?? { vocabulary: { vocabSize, endTokens, tokenBytes: (id) => tokenizer.tokenBytes(id) }, last: null };
  known.set(tokenizer, grammars);
  const key = JSON.stringify(format);
  if (grammars.last?.key === key) return grammars.last.grammar;
  const grammar = await compile(format, grammars.vocabulary);
  grammars.last = { key, grammar };
  return grammar;
}

/** The compilers come when a format is first asked for. */
async function compile(format: NonNullable<TextRequest["format"]>, vocabulary: GrammarVocabulary): Promise<Grammar> {
  if (format.type === "regex") return (await import("../sampling/grammar/regex.ts")).compileRegex(format.pattern, vocabulary);
  const { compileJsonSchema } = await import("../sampling/grammar/json-schema.ts");
  return compileJsonSchema(format.type === "json_schema" ? format.schema : { type: "object" }, vocabulary);
}
