// Fair timing of several contenders: warm-ups, then rounds in which each has its turn; N operations and one fence a turn; median and p90.

export interface Contender {
  readonly name: string;
  /** So many operations, then waits until the GPU has done them. */
  run(count: number): Promise<void>;
  /** The values of one operation. */
  result(): Promise<Float32Array>;
  release(): Promise<void>;
}

/** Milliseconds an operation. */
export interface Timing {
  readonly name: string;
  readonly best: number;
  readonly median: number;
  readonly p90: number;
}

export interface MeasureOptions {
  readonly warmUps?: number;
  readonly rounds?: number;
  /** A turn lasts about so long. */
  readonly turnMs?: number;
}

export async function measure(contenders: readonly Contender[], { warmUps = 3, rounds = 15, turnMs = 60 }: MeasureOptions = {}): Promise<Timing[]> {
  const counts: number[] = [];
  for (const contender of contenders) {
    await contender.run(warmUps);
    const once = await timed(() => contender.run(1));
    counts.push(Math.max(1, Math.min(50, Math.round(turnMs / once))));
  }
  const times: number[][] = contenders.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) times[i].push((await timed(() => contender.run(counts[i]))) / counts[i]);
  }
  return contenders.map(({ name }, i) => {
    const sorted = times[i].sort((a, b) => a - b);
    return { name, best: sorted[0], median: sorted[Math.floor(sorted.length / 2)], p90: sorted[Math.floor(sorted.length * 0.9)] };
  });
}

async function timed(body: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await body();
  return performance.now() - start;
}

/** The largest difference over the largest value. */
export function difference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    worst = Math.max(worst, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return worst / largest;
}
