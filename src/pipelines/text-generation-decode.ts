// The token loop: prompts go into the cache in chunks, then each token is chosen on the GPU and fed on at once; the page reads some tokens behind.
import type { CausalLm } from "../architectures/causal-lm.ts";
import type { KvCache } from "../nn/kv-cache.ts";
import type { Sampler } from "../sampling/sampler.ts";
import type { SampledToken } from "../sampling/token-log.ts";
import { type Tensor, upload } from "../tensor/tensor.ts";
import type { TextMark } from "./text-mark.ts";

/** Prompt tokens at a time: between chunks a generation can be aborted, and no submit takes long. */
const CHUNK = { hardware: 512, software: 64 };

/** Tokens under way before the oldest is read: a read takes several milliseconds, in which the GPU goes on. */
export const IN_FLIGHT = 4;

/** The state of a run's texts on the GPU. */
export interface Decoding {
  readonly model: CausalLm;
  readonly cache: KvCache;
  readonly sampler: Sampler;
  /** Tokens that the context may hold. */
  readonly maxContext: number;
  /** Tokens to choose at most. */
  readonly mostTokens: number;
  readonly inFlight: number;
  /** Allowed tokens of the next choice, u32 [B, ceil(V / 32)]; owned by whoever gives it. */
  mask(): Tensor | undefined;
  /** Marks the logits of each choice. */
  readonly mark: TextMark | null;
  /** All tokens of the (only) text so far, for a context that slides on; null where it must not. */
  readonly history: (() => readonly number[]) | null;
  /** Throws where the run has been aborted or disposed of. */
  check(): void;
  /** Settles as the promise does, or rejects as soon as the run is aborted. */
  orAbort<T>(promise: Promise<T>): Promise<T>;
}

/**
 * Tokens [B, T] into the cache, which they follow → logits f32 of the last position [B, V], the caller's to dispose.
 * Waits between chunks. Throws GpuError, and what `check` throws.
 */
export async function prefill({ model, cache, check, orAbort }: Pick<Decoding, "model" | "cache" | "check" | "orAbort">, rows: readonly Int32Array[]): Promise<Tensor> {
  const { gpu } = model;
  const [{ length }] = rows;
  const chunk = gpu.traits.software ? CHUNK.software : CHUNK.hardware;
  for (let at = 0; ; at += chunk) {
    const end = Math.min(length, at + chunk);
    const logits = forward(model, cache, rows.map((row) => row.subarray(at, end)), end === length ? "last" : "none");
    if (end === length) return logits;
    logits.dispose();
    await orAbort(gpu.done());
    check();
  }
}

/** Rows of token ids through the model. */
export function forward(model: CausalLm, cache: KvCache, rows: readonly Int32Array[], logits: "all" | "last" | "none"): Tensor {
  const { gpu } = model;
  using scope = gpu.scope();
  const [{ length }] = rows;
  const flat = new Int32Array(rows.length * length);
  rows.forEach((row, i) => flat.set(row, i * length));
  return scope.keep(model.forward(upload(gpu, flat, [rows.length, length], "i32"), cache, { logits }));
}

/**
 * Chosen tokens, one of each text at a time, from the prompt's logits on. Ends after `mostTokens`, or when it is left: what is then under
 * way counts for nothing, and the cache is the caller's to truncate. Throws GpuError, and what `check` throws.
 */
export async function* chosenTokens(decoding: Decoding, prompt: Tensor): AsyncGenerator<readonly SampledToken[], void, void> {
  const { model, cache, sampler, maxContext, mostTokens, inFlight, mask, mark, history, check, orAbort } = decoding;
  const under: Promise<readonly SampledToken[]>[] = [];
  let chosen = 0;
  let last: Tensor | null = null;

  const choose = (logits: () => Tensor) => {
    using scope = model.gpu.scope();
    const own = logits();
    const token = scope.keep(sampler.next(mark ? mark.apply(own) : own, mask()));
    mark?.follow(token);
    last?.dispose();
    last = token;
    const reading = sampler.log.read(chosen, ++chosen).then(([row]) => row);
    reading.catch(() => {}); // told when it is its turn
    under.push(reading);
  };
  const step = (token: Tensor) => choose(() => model.forward(token, cache));

  try {
    choose(() => prompt);
    prompt.dispose();
    for (;;) {
      check();
      while (last && under.length < inFlight && chosen < mostTokens && (cache.length < maxContext || !history)) step(last);
      if (under.length === 0) {
        if (chosen >= mostTokens || !history) return;
        using logits = await slide(decoding, history());
        choose(() => logits);
      }
      const [oldest] = under;
      const row = await orAbort(oldest);
      under.shift();
      yield row;
    }
  } finally {
    prompt.dispose();
    (last as Tensor | null)?.dispose();
  }
}

/** Forgets the older half of a full context, and reads the newer one again: keys know their position. */
function slide(decoding: Decoding, history: readonly number[]): Promise<Tensor> {
  const { cache, maxContext } = decoding;
  cache.truncate(0);
  return prefill(decoding, [Int32Array.from(history.slice(-Math.max(1, Math.floor(maxContext / 2))))]);
}
