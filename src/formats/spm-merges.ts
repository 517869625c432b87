// The merges that a SentencePiece BPE vocabulary stands for: it joins whatever two pieces make a piece, the likeliest first
// (Kudo & Richardson 2018), so every way to cut a piece in two is a merge, ranked by the piece's score.

interface Candidate {
  readonly left: string;
  readonly right: string;
  readonly score: number;
}

/** Merges in order, "left right" as a pair; of equal scores the longer left part first, as transformers orders them. */
export function spmMerges(tokens: readonly string[], scores: readonly number[]): [left: string, right: string][] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const id = (token: string): number => ids.get(token) ?? 0;
  const all: Candidate[] = [];
  for (const [token, at] of ids) {
    const cuts: Candidate[] = [];
    for (let cut = 0; cut < token.length; ) {
      cut += (token.codePointAt(cut) ?? 0) > 0xffff ? 2 : 1;
      const [left, right] = [token.slice(0, cut), token.slice(cut)];
      if (right !== "" && ids.has(left) && ids.has(right)) cuts.push({ left, right, score: scores[at] });
    }
    cuts.sort((a, b) => id(a.left) - id(b.left) || id(a.right) - id(b.right));
    for (const cut of cuts) all.push(cut);
  }
  const length = (token: string): number => Array.from(token).length;
  all.sort((a, b) => b.score - a.score || length(b.left) - length(a.left) || length(b.right) - length(a.right));
  return all.map(({ left, right }) => [left, right]);
}
