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

/** Adds up the bytes of several files and reports at most 20 times a second, and always at the end. */
export class ProgressMeter {
  readonly #status: LoadProgress["status"];
  readonly #onProgress: ((progress: LoadProgress) => void) | undefined;
  readonly #now: () => number;
  #loaded = 0;
  #total = 0;
  #samples: { at: number; loaded: number }[] = [];
  #reportedAt = -Infinity;

  constructor(status: LoadProgress["status"], onProgress?: (progress: LoadProgress) => void, now: () => number = () => performance.now()) {
    this.#status = status;
    this.#onProgress = onProgress;
    this.#now = now;
  }

  /** Announces a file of so many bytes; `loaded` of them need not be moved again. */
  expect(file: string, bytes: number, loaded = 0): void {
    this.#total += bytes;
    this.#loaded += loaded;
    for (const sample of this.#samples) sample.loaded += loaded; // what was there already is no speed
    this.#report(file, this.#now());
  }

  /** So many bytes of the file have moved. Negative to take back what will be moved again. */
  advance(file: string, bytes: number): void {
    this.#loaded += bytes;
    this.#report(file, this.#now());
  }

  #report(file: string, now: number): void {
    if (this.#onProgress === undefined) return;
    if (now - this.#reportedAt < reportEveryMs && this.#loaded < this.#total) return;
    this.#reportedAt = now;
    this.#samples = this.#samples.filter((sample) => now - sample.at <= windowMs);
    this.#samples.push({ at: now, loaded: this.#loaded });
    const first = this.#samples[0];
    const seconds = (now - first.at) / 1000;
    const bytesPerSecond = seconds > 0 ? Math.max(0, this.#loaded - first.loaded) / seconds : 0;
    const left = this.#total - this.#loaded;
    this.#onProgress({
      status: this.#status, file, loaded: this.#loaded, total: this.#total,
      bytesPerSecond, secondsLeft: left === 0 ? 0 : left / bytesPerSecond,
    });
  }
}
