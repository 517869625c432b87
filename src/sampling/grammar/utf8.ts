// Sets of code points, and the byte sequences that spell them in UTF-8.

/** Code points lo … hi, both included. */
export type CodeRange = readonly [lo: number, hi: number];
/** Sorted, disjoint, not touching. */
export type CodeSet = readonly CodeRange[];

export const lastCodePoint = 0x10ffff;
export const everyCodePoint: CodeSet = [[0, lastCodePoint]];
const surrogates: CodeSet = [[0xd800, 0xdfff]]; // no characters: UTF-8 cannot spell them

export function union(...sets: readonly CodeSet[]): CodeSet {
  const merged: [number, number][] = [];
  for (const [lo, hi] of sets.flat().sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && lo <= last[1] + 1) last[1] = Math.max(last[1], hi);
    else merged.push([lo, hi]);
  }
  return merged;
}

export function complement(set: CodeSet): CodeSet {
  const gaps: CodeRange[] = [];
  let next = 0;
  for (const [lo, hi] of set) {
    if (lo > next) gaps.push([next, lo - 1]);
    next = hi + 1;
  }
  return next <= lastCodePoint ? [...gaps, [next, lastCodePoint]] : gaps;
}

export function without(set: CodeSet, other: CodeSet): CodeSet {
  return complement(union(complement(set), other));
}

export function contains(set: CodeSet, code: number): boolean {
  return set.some(([lo, hi]) => lo <= code && code <= hi);
}

/**
 * Sequences of one to four byte ranges that spell the characters of a set, each character by exactly one sequence. First ranges
 * of two sequences are equal or disjoint, and so are the next ones behind equal ones.
 */
export function utf8Sequences(set: CodeSet): CodeRange[][] {
  return without(set, surrogates).flatMap(([lo, hi]) => sequencesOf(lo, hi));
}

function sequencesOf(lo: number, hi: number): CodeRange[][] {
  for (const last of [0x7f, 0x7ff, 0xffff]) {
    if (lo <= last && last < hi) return [...sequencesOf(lo, last), ...sequencesOf(last + 1, hi)];
  }
  if (hi < 0x80) return [[[lo, hi]]];
  // Both ends have as many bytes. Where a leading part differs, the bytes below it must be free: 80 … BF.
  const most = hi < 0x800 ? 6 : hi < 0x10000 ? 12 : 18; // bits behind the first byte
  for (let bits = 6; bits <= most; bits += 6) {
    const below = (1 << bits) - 1;
    if (lo >> bits === hi >> bits) continue;
    if (lo & below) return [...sequencesOf(lo, lo | below), ...sequencesOf((lo | below) + 1, hi)];
    if ((hi & below) !== below) return [...sequencesOf(lo, (hi & ~below) - 1), ...sequencesOf(hi & ~below, hi)];
  }
  const first = bytesOf(lo);
  const last = bytesOf(hi);
  return [first.map((byte, i) => [byte, last[i]])];
}

function bytesOf(code: number): number[] {
  return [...new TextEncoder().encode(String.fromCodePoint(code))];
}
