// Tokenizers for generation against the Rust library, over tokenizers of every kind (tests/reference/generation_tokenizers.py).
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadGenerationTokenizer } from "../../src/formats/generation-tokenizer.ts";
import type { TokenizerFolder } from "../../src/formats/tokenizer.ts";

const tinyStories = new URL("../../../shared/weights/tinystories-260k/", import.meta.url);

function folderAt(root: URL): TokenizerFolder {
  const text = async (path: string): Promise<string | null> => {
    const url = new URL(path, root);
    return existsSync(url) ? readFileSync(url, "utf8") : null;
  };
  return { text, json: async (path) => JSON.parse((await text(path)) ?? "null") as unknown };
}

const there = existsSync(tinyStories);
test.skipIf(!there)(`the 260k-parameter Llama's tokenizer${there ? "" : " (skipped: ../shared is not here)"}`, async () => {
  const tokenizer = await loadGenerationTokenizer(folderAt(tinyStories));
  const ids = tokenizer.encode("Once upon a time, Lily saw a ☃.");
  expect(ids[0]).toBe(tokenizer.roles.bos);
  expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("Once upon a time, Lily saw a ☃.");
  expect(tokenizer.endTokens).toEqual([2]);
});
