// The chosen tokens of a generation, which stay on the GPU and are read several tokens behind.
import type { Gpu } from "../gpu/gpu.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";

/** What went wrong in choosing a token: the model's output held NaN or +Infinity, or everything was forbidden. The token is then worth nothing. */
export type SamplingFault = "not-a-number" | "nothing-allowed";

export interface SampledToken {
  readonly token: number;
  readonly fault: SamplingFault | null;
  /** Natural logarithm of the token's probability under the model's own logits; null where they were not asked for. */
  readonly logProb: number | null;
  /** The likeliest tokens, likeliest first; of equals, the lower id first. */
  readonly top: readonly { readonly token: number; readonly logProb: number }[];
}

/** Words of a token in the log: token, fault; with log-probabilities also its own and (token, log-probability) of the likeliest. */
export function recordWords(topLogProbs: number | null): number {
  return topLogProbs === null ? 2 : 3 + 2 * topLogProbs;
}

const FAULTS: readonly (SamplingFault | null)[] = [null, "not-a-number", "nothing-allowed"];
const FIRST_ROOM = 256;

/** Grows as tokens are chosen; `Sampler.begin` empties it. Read a token as soon as its choice is recorded and await it several tokens later, and the GPU never waits. */
export class TokenLog {
  readonly #words: number;
  #records: Tensor; // u32 [room, batch, words]
  #length = 0;

  constructor(readonly gpu: Gpu, readonly batch: number, readonly topLogProbs: number | null) {
    this.#words = recordWords(topLogProbs);
    this.#records = this.#room(FIRST_ROOM);
  }

  /** Steps recorded since the beginning: one token of each sequence a step. */
  get length(): number {
    return this.#length;
  }

  /** The records, u32 [room, batch, words], for the kernel that writes the next. */
  get records(): Tensor {
    return this.#records;
  }

  /** Makes room for one more step. */
  extend(): void {
    if (this.#length === this.#records.shape[0]) {
      const larger = this.#room(2 * this.#length);
      const from = { storage: this.#records.storage, offset: 0, bytes: this.#records.bytes };
      this.gpu.copy(from, { storage: larger.storage, offset: 0, bytes: from.bytes });
      this.#records.dispose();
      this.#records = larger;
    }
    this.#length++;
  }

  clear(): void {
    this.#length = 0;
  }

  /**
   * The tokens of steps from … to - 1, by step and sequence. What is read is settled by the call, not by the await: later steps, `begin` and
   * `dispose` do not disturb it. Throws RangeError for steps that were not recorded; GpuError.
   */
  async read(from: number, to: number): Promise<SampledToken[][]> {
    if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= this.#length)) throw new RangeError(`TokenLog.read: steps ${from} … ${to} of ${this.#length}`);
    if (from === to) return [];
    const stepBytes = 4 * this.batch * this.#words;
    const buffer = await this.gpu.read({ storage: this.#records.storage, offset: from * stepBytes, bytes: (to - from) * stepBytes });
    return Array.from({ length: to - from }, (_, step) => Array.from({ length: this.batch }, (_, row) => this.#parse(new DataView(buffer, step * stepBytes + 4 * row * this.#words))));
  }

  dispose(): void {
    this.#records.dispose();
  }

  #parse(record: DataView): SampledToken {
    const logProbAt = (word: number) => record.getFloat32(4 * word, true);
    const tops = Array.from({ length: this.topLogProbs ?? 0 }, (_, i) => ({ token: record.getInt32(4 * (3 + 2 * i), true), logProb: logProbAt(4 + 2 * i) }));
    return {
      token: record.getInt32(0, true),
      fault: FAULTS[record.getUint32(4, true)],
      logProb: this.topLogProbs === null ? null : logProbAt(2),
      top: tops.filter(({ token }) => token >= 0),
    };
  }

  /** Outlives the scope of the token that asked for it. */
  #room(steps: number): Tensor {
    return lasting(empty(this.gpu, [steps, this.batch, this.#words], "u32", { label: "token log" }));
  }
}

/** Takes a tensor out of the open scope: its maker disposes it. */
export function lasting(tensor: Tensor): Tensor {
  tensor.gpu.openScope?.remove(tensor);
  return tensor;
}
