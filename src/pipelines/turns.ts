// Whoever comes first works first: a queue of asynchronous stretches of work.

export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Waits for its turn; call the result when done with it. Rejects with the signal's reason, and then lets the next one through. */
  async take(signal?: AbortSignal): Promise<() => void> {
    const before = this.#last;
    let done = () => {};
    const mine = new Promise<void>((resolve) => (done = resolve));
    this.#last = before.then(() => mine);
    try {
      await orAborted(before, signal);
    } catch (error) {
      done();
      throw error;
    }
    return done;
  }
}

/** Settles as the promise does, or rejects with the signal's reason as soon as it is aborted. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
