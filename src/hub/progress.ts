// Progress of a load over all of its files: bytes, total, speed over the last seconds, time left.

/** How far a load has come. "download" counts bytes from the network, "load" bytes handed on from wherever they lie. */
export type LoadProgress = {
  status: "download" | "load";
  /** The file that moved last, as the folder names it. */
  file: string;
  /** Bytes so far and in all, over every file opened so far: the total grows when another file is opened. */
  loaded: number;
  total: number;
  bytesPerSecond: number;
  /** Infinity while nothing has moved yet. */
  secondsLeft: number;
};

const windowMs = 3000; // speed is measured over this long
const reportEveryMs = 50;

/** Adds up the bytes of several files, and reports at most 20 times a second and whenever all is done. */
export class ProgressMeter {
  readonly #status: LoadProgress["status"];
  readonly #onProgress: ((progress: LoadProgress) => void) | undefined;
  readonly #now: () => number;
  readonly #files = new Map<string, { loaded: number; total: number }>();
  #loaded = 0;
  #total = 0;
  #samples: { at: number; loaded: number }[] = [];
  #reportedAt = -Infinity;

  constructor(status: LoadProgress["status"], onProgress?: (progress: LoadProgress) => void, now: () => number = () => performance.now()) {
    this.#status = status;
    this.#onProgress = onProgress;
    this.#now = now;
  }

  /** Announces a file of so many bytes, of which `loaded` need not move. Again for the same file starts it anew. */
  expect(file: string, total: number, loaded = 0): void {
    this.forget(file);
    this.#files.set(file, { loaded, total });
    this.#total += total;
    this.#shift(loaded);
    this.#report(file);
  }

  /** So many more bytes of an announced file have moved; beyond its end, where it is read again, they do not count. */
  advance(file: string, bytes: number): void {
    const entry = this.#files.get(file);
    if (entry === undefined) return;
    const counted = Math.min(bytes, entry.total - entry.loaded);
    entry.loaded += counted;
    this.#loaded += counted;
    this.#report(file);
  }

  /** Takes a file out of the sums. */
  forget(file: string): void {
    const entry = this.#files.get(file);
    if (entry === undefined) return;
    this.#files.delete(file);
    this.#total -= entry.total;
    this.#shift(-entry.loaded);
  }

  /** Counts bytes that did not move now, and so are no speed. */
  #shift(bytes: number): void {
    this.#loaded += bytes;
    for (const sample of this.#samples) sample.loaded += bytes;
  }

  #report(file: string): void {
    if (this.#onProgress === undefined) return;
    const now = this.#now();
    if (now - this.#reportedAt < reportEveryMs && this.#loaded < this.#total) return;
    this.#reportedAt = now;
    this.#samples = this.#samples.filter((sample) => now - sample.at <= windowMs);
    this.#samples.push({ at: now, loaded: this.#loaded });
    const first = this.#samples[0];
    const seconds = (now - first.at) / 1000;
    const bytesPerSecond = seconds > 0 ? (this.#loaded - first.loaded) / seconds : 0;
    const left = this.#total - this.#loaded;
    this.#onProgress({
      status: this.#status, file, loaded: this.#loaded, total: this.#total,
      bytesPerSecond, secondsLeft: left === 0 ? 0 : left / bytesPerSecond,
    });
  }
}
