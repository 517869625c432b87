// GPU memory: reference-counted storage over recycled buffers, every byte accounted. With no device it only counts.
import "./symbol-dispose.ts";
import { GpuError } from "./errors.ts";

/** Bytes held now, the most held at once, those kept aside for reuse, and the largest tensor. */
export interface MemoryUse {
  /** Bytes that some tensor holds. */
  readonly live: number;
  /** The most that was `live` and `idle` together since the start or the last `resetPeak`. */
  readonly peak: number;
  /** Bytes of freed buffers kept for the next allocation. */
  readonly idle: number;
  /** The largest single tensor since then, weights aside. */
  readonly largest: number;
}

/** Live bytes watched over a stretch of work. */
export interface MemoryMeter {
  /** Change of `live` since the meter started. */
  readonly live: number;
  /** The most that `live` rose above where it started. */
  readonly peak: number;
  stop(): void;
}

/** A buffer and the number of tensors that look at it. In a planning Gpu `buffer` is null. */
export class Storage {
  #references = 1;

  constructor(readonly id: number, readonly bytes: number, readonly capacity: number, readonly buffer: GPUBuffer | null, private readonly onFree: (storage: Storage) => void) {}

  get released(): boolean {
    return this.#references === 0;
  }

  retain(): this {
    if (this.released) throw new Error("storage: used after it was disposed");
    this.#references++;
    return this;
  }

  release(): void {
    if (this.released) throw new Error("storage: disposed twice");
    if (--this.#references === 0) this.onFree(this);
  }
}

interface IdleBuffer {
  readonly id: number;
  readonly capacity: number;
  readonly buffer: GPUBuffer | null;
}

/** A request may be given an idle buffer up to so many times as large: a 512 × 512 UNet step then holds half of what equal sizes alone give. */
const SLACK = 16;

/** Allocates storage, recycling freed buffers. Recycling is safe at once: the queue runs in order. */
export class Memory {
  /** By capacity, then id, so that the same requests get the same buffers every time. */
  readonly #idle: IdleBuffer[] = [];
  #live = 0;
  #idleBytes = 0;
  #peak = 0;
  #largest = 0;
  #nextId = 1;
  readonly #meters = new Set<{ highest: number }>();

  /** `device` null: count only. `maxBytes` is the largest buffer allowed. */
  constructor(readonly device: GPUDevice | null, readonly maxBytes: number, readonly beforeDestroy: () => void) {}

  get use(): MemoryUse {
    return { live: this.#live, peak: this.#peak, idle: this.#idleBytes, largest: this.#largest };
  }

  /** Starts to watch; `stop` it. */
  meter(): MemoryMeter {
    const start = this.#live;
    const meter = { highest: start };
    this.#meters.add(meter);
    const live = () => this.#live - start;
    const stop = () => this.#meters.delete(meter);
    return {
      get live() {
        return live();
      },
      get peak() {
        return meter.highest - start;
      },
      stop,
    };
  }

  resetPeak(): void {
    this.#peak = this.#live + this.#idleBytes;
    this.#largest = 0;
  }

  /** `recycle` false for long-lived weights: the buffer is exactly as large as asked and destroyed when freed. Throws GpuError past the device's largest buffer. */
  allocate(bytes: number, label: string, recycle = true): Storage {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    if (size > this.maxBytes) throw new GpuError("unsupported", `${label} needs a buffer of ${size} bytes, this device allows ${this.maxBytes}`);
    if (recycle) this.#largest = Math.max(this.#largest, size);
    const reused = recycle ? this.#reuse(sizeClass(size)) : null;
    const capacity = reused?.capacity ?? (recycle ? sizeClass(size) : size);
    this.#live += capacity;
    this.#peak = Math.max(this.#peak, this.#live + this.#idleBytes);
    for (const meter of this.#meters) meter.highest = Math.max(meter.highest, this.#live);
    const buffer = reused ? reused.buffer : this.#create(Math.min(capacity, this.maxBytes), label);
    const id = reused ? reused.id : this.#nextId++;
    return new Storage(id, bytes, capacity, buffer, (storage) => this.#free(storage, recycle));
  }

  /** Takes the smallest idle buffer that fits. */
  #reuse(capacity: number): IdleBuffer | null {
    const at = this.#placeOf(capacity, 0);
    if (at === this.#idle.length || this.#idle[at].capacity > SLACK * capacity) return null;
    const [buffer] = this.#idle.splice(at, 1);
    this.#idleBytes -= buffer.capacity;
    return buffer;
  }

  /** Where in the idle list such a buffer stands or would stand. */
  #placeOf(capacity: number, id: number): number {
    const at = this.#idle.findIndex((other) => other.capacity > capacity || (other.capacity === capacity && other.id >= id));
    return at < 0 ? this.#idle.length : at;
  }

  #create(size: number, label: string): GPUBuffer | null {
    return this.device?.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST, label }) ?? null;
  }

  #free(storage: Storage, recycle: boolean): void {
    this.#live -= storage.capacity;
    if (!recycle) {
      this.beforeDestroy();
      storage.buffer?.destroy();
      return;
    }
    const { id, capacity, buffer } = storage;
    this.#idleBytes += capacity;
    this.#idle.splice(this.#placeOf(capacity, id), 0, { id, capacity, buffer });
  }

  /** Destroys every idle buffer. */
  trim(): void {
    this.beforeDestroy();
    for (const { buffer } of this.#idle) buffer?.destroy();
    this.#idle.length = 0;
    this.#idleBytes = 0;
  }
}

/** Rounds up to an eighth of the next power of two: at most 12.5 % is wasted and sizes repeat. */
function sizeClass(bytes: number): number {
  const step = Math.max(256, 2 ** (Math.ceil(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}
