// SentencePiece's normalization table: a double-array trie (Aoe 1989, as Darts-clone packs it) from UTF-8 to replacements,
// applied as Hugging Face's spm_precompiled does: to a grapheme shorter than six bytes first, then to each character.
import { FormatError } from "./errors.ts";

/** The normalizer of a table: u32 size of the trie, the trie as u32 units, then replacements, each ended by a zero byte. */
export function precompiledCharsmap(table: Uint8Array): (text: string) => string {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const size = table.byteLength < 4 ? -1 : view.getUint32(0, true);
  if (size < 0 || size % 4 !== 0 || 4 + size > table.byteLength) throw new FormatError("precompiled_charsmap: its trie does not fit into it");
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const replacements = table.subarray(4 + size);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

  /** The replacement of the shortest key that begins `piece`, or null. */
  function replacementOf(piece: string): string | null {
    let at = offset(units[0] ?? 0);
    for (const byte of encoder.encode(piece)) {
      if (byte === 0) return null;
      at ^= byte;
      const unit = units[at];
      if (unit === undefined || (unit & 0x8000_00ff) >>> 0 !== byte) return null;
      at ^= offset(unit);
      if (((unit >>> 8) & 1) === 1) {
        const start = (units[at] ?? 0) & 0x7fff_ffff;
        const end = replacements.indexOf(0, start);
        return decoder.decode(replacements.subarray(start, end < 0 ? undefined : end));
      }
    }
    return null;
  }
  const known = new Map<string, string>();
  function character(text: string): string {
    let normal = known.get(text);
    if (normal === undefined) known.set(text, (normal = replacementOf(text) ?? text));
    return normal;
  }
  return (text) => {
    let out = "";
    for (const { segment } of graphemes.segment(text)) {
      const whole = encoder.encode(segment).length < 6 ? replacementOf(segment) : null;
      if (whole !== null) out += whole;
      else for (const one of segment) out += character(one);
    }
    return out;
  };
}

/** How far a unit's children lie from it. */
function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
