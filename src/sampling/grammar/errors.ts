// The error of grammars: a schema or a pattern asks for what is not supported, or for what no text can be.

/** Names the place and the keyword or the character, and what to do. */
export class GrammarError extends Error {
  override readonly name = "GrammarError";
}
