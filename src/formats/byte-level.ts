// Bytes as printable characters, so that a vocabulary of characters covers every text (Radford et al. 2019, GPT-2):
// bytes that print stand for themselves, the other 68 for U+0100 and on.

const prints = (byte: number): boolean => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);

const characters: string[] = [];
const bytes = new Map<string, number>();
for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const character = String.fromCodePoint(prints(byte) ? byte : next++);
  characters.push(character);
  bytes.set(character, byte);
}

/** A text's UTF-8 bytes, each as its character. */
export function toByteLevel(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => characters[byte]).join("");
}

/** The bytes of a token made of such characters; of any other token its UTF-8. */
export function fromByteLevelToken(token: string): Uint8Array {
  const values: number[] = [];
  for (const character of token) {
    const byte = bytes.get(character);
    if (byte === undefined) return new TextEncoder().encode(token);
    values.push(byte);
  }
  return Uint8Array.from(values);
}

/** The text of tokens made of such characters. A token with any other character stands for itself; broken UTF-8 becomes U+FFFD. */
export function fromByteLevel(tokens: readonly string[]): string {
  const all = tokens.flatMap((token) => [...fromByteLevelToken(token)]);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(all));
}

/** A decoded text with spaces where words ended, and without space around it (as Python strips it). */
export function readable(text: string, endOfWord: string): string {
  return text.replaceAll(endOfWord, " ").replace(/^[\p{White_Space}\u001c-\u001f]+|[\p{White_Space}\u001c-\u001f]+$/gu, "");
}
