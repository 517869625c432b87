// A generation under way: an async iterable of steps and a promise of the result, in one.
import type { Generation } from "./types.ts";

/**
 * Wraps an async generator whose return value is the result. Iterating runs it step by step; awaiting runs it to its end;
 * both may be done, and whoever pulls moves it for all. Leaving a loop early ends the work, and awaiting then rejects with an AbortError.
 */
export function generation<Step, Result>(work: AsyncGenerator<Step, Result, void>): Generation<Step, Result> {
  let settle: { resolve(result: Result): void; reject(reason: unknown): void };
  const result = new Promise<Result>((resolve, reject) => (settle = { resolve, reject }));
  result.catch(() => {}); // whoever iterates hears of the error there
  let iterated = false;
  let draining = false;

  async function pull(): Promise<IteratorResult<Step, undefined>> {
    try {
      const next = await work.next();
      if (!next.done) return next;
      settle.resolve(next.value);
    } catch (error) {
      settle.reject(error);
      throw error;
    }
    return { done: true, value: undefined };
  }

  async function drain(): Promise<void> {
    draining = true;
    while (!(await pull()).done);
  }

  return {
    [Symbol.asyncIterator]() {
      iterated = true;
      return {
        next: pull,
        async return() {
          const left = new DOMException("The generation was left before its end", "AbortError");
          settle.reject(left);
          await work.throw(left).catch(() => {}); // the generator's clean-up runs; that it was left is no news to the one who left
          return { done: true, value: undefined };
        },
      };
    },
    then(onFulfilled, onRejected) {
      if (!iterated && !draining) drain().catch(() => {}); // told through `result`
      return result.then(onFulfilled, onRejected);
    },
  };
}
