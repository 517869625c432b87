// Keys and values of the tokens so far, and the rotary tables that reach as far, so that each new token is computed once.
import { GpuError } from "../gpu/errors.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { copyInto } from "../kernels/copy.ts";
import { ShapeError } from "../tensor/shape.ts";
import { empty, type Tensor, upload } from "../tensor/tensor.ts";
import { type Rotary, rotaryTable } from "./rotary.ts";
import { outliving } from "./scoped.ts";

export interface KvCacheOptions {
  readonly batch: number;
  readonly layers: number;
  /** Heads of keys and values, and channels of each. */
  readonly heads: number;
  readonly headSize: number;
  readonly dtype: "f32" | "f16";
  /** Tokens to make room for at first; rounded up to a step. */
  readonly capacity?: number;
  /** Tokens that the model can tell apart. */
  readonly maxPositions: number;
  readonly rotary?: readonly Rotary[];
}

/** What a layer writes its new keys and values to, and reads all of them from; each [B, tokens, heads, headSize]. */
export interface CacheSlot {
  readonly newKeys: Tensor;
  readonly newValues: Tensor;
  readonly keys: Tensor;
  readonly values: Tensor;
}

const STEP = 256; // tokens

/** Outlives scopes: whoever asked for it disposes it. */
export class KvCache {
  readonly batch: number;
  readonly maxPositions: number;
  readonly #gpu: Gpu;
  readonly #options: KvCacheOptions;
  #layers: { keys: Tensor; values: Tensor }[] = []; // each [B, capacity, heads, headSize]
  #tables: Tensor[] = []; // each [capacity, R]
  #capacity = 0;
  #length = 0;
  #padding: Tensor | null = null;
  #counts: readonly number[] = [0];

  constructor(gpu: Gpu, options: KvCacheOptions) {
    if (options.dtype === "f16" && !gpu.features.f16) throw new GpuError("unsupported", "cache: f16 keys and values need shader-f16, which this device lacks; take f32");
    this.#gpu = gpu;
    this.#options = options;
    this.batch = options.batch;
    this.maxPositions = options.maxPositions;
    this.reserve(options.capacity ?? 1);
  }

  /** Tokens held. */
  get length(): number {
    return this.#length;
  }

  /** Tokens that it holds before it must grow. */
  get capacity(): number {
    return this.#capacity;
  }

  /** i32 [B], padding tokens on the left of each row: their keys are hidden, and positions count from behind them; null where there are none. */
  get padding(): Tensor | null {
    return this.#padding;
  }

  /** Tells how many tokens of padding each row begins with, before the first tokens come. Throws ShapeError. */
  pad(counts: readonly number[]): void {
    if (counts.length !== this.batch || !counts.every((n) => Number.isInteger(n) && n >= 0)) throw new ShapeError(`cache: padding expected ${this.batch} counts, got [${counts}]`);
    if (this.#length > 0) throw new ShapeError(`cache: padding comes before the first token; ${this.#length} are held`);
    this.#padding?.dispose();
    this.#counts = counts.some((n) => n > 0) ? [...counts] : [0];
    this.#padding = counts.some((n) => n > 0) ? outliving(() => upload(this.#gpu, Int32Array.from(counts), [counts.length], "i32")) : null;
  }

  /** Positions of the next tokens, for models that look them up: one row of `tokens` for all, or one for each row of the batch where there is padding. */
  positions(tokens: number): Int32Array<ArrayBuffer> {
    const place = (i: number) => this.#length + (i % tokens) - this.#counts[Math.floor(i / tokens)];
    return Int32Array.from({ length: this.#counts.length * tokens }, (_, i) => Math.max(0, place(i)));
  }

  /** Makes room for so many tokens more, in steps; what is held is copied. Throws ShapeError past `maxPositions`, GpuError past the device's memory. */
  reserve(tokens: number): void {
    const needed = this.#length + tokens;
    const { maxPositions } = this.#options;
    if (needed > maxPositions) throw new ShapeError(`cache: the model's context is ${maxPositions} tokens; ${this.#length} are held and ${tokens} more do not fit`);
    if (needed <= this.#capacity) return;
    const capacity = Math.min(maxPositions, Math.ceil(Math.max(needed, 1.5 * this.#capacity) / STEP) * STEP);
    const { batch, layers, heads, headSize, dtype, rotary = [] } = this.#options;
    const grown = (old: Tensor | undefined, what: string) => {
      const tensor = outliving(() => empty(this.#gpu, [batch, capacity, heads, headSize], dtype, { recycle: false, label: what }));
      if (old && this.#length > 0) {
        using _views = this.#gpu.scope();
        copyInto(old.slice(1, 0, this.#length), tensor.slice(1, 0, this.#length));
      }
      old?.dispose();
      return tensor;
    };
    this.#layers = Array.from({ length: layers }, (_, i) => ({ keys: grown(this.#layers[i]?.keys, `keys of layer ${i}`), values: grown(this.#layers[i]?.values, `values of layer ${i}`) }));
    for (const table of this.#tables) table.dispose();
    this.#tables = rotary.map((angles) => outliving(() => rotaryTable(this.#gpu, angles, capacity)));
    this.#capacity = capacity;
  }

  /** A layer's room for the next tokens, which `reserve` has made; views in the open scope. */
  slot(layer: number, tokens: number): CacheSlot {
    const { keys, values } = this.#layers[layer];
    const end = this.#length + tokens;
    return {
      newKeys: keys.slice(1, this.#length, end), newValues: values.slice(1, this.#length, end),
      keys: keys.slice(1, 0, end), values: values.slice(1, 0, end),
    };
  }

  /** The table of `rotary[index]`, f32 [capacity, R]. */
  table(index: number): Tensor {
    return this.#tables[index];
  }

  /** Counts tokens as held, once every layer has written them. */
  advance(tokens: number): void {
    this.#length += tokens;
  }

  /** Forgets the tokens from `length` on, so that others follow those before. Throws ShapeError past what is held. */
  truncate(length: number): void {
    if (!(Number.isInteger(length) && length >= 0 && length <= this.#length)) throw new ShapeError(`cache: truncate to ${length} tokens, ${this.#length} are held`);
    this.#length = length;
  }

  dispose(): void {
    for (const { keys, values } of this.#layers) [keys, values].forEach((tensor) => tensor.dispose());
    for (const table of this.#tables) table.dispose();
    this.#padding?.dispose();
    this.#layers = [];
    this.#tables = [];
    this.#padding = null;
    this.#capacity = this.#length = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
