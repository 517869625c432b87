// Kernel parameters as immutable slots of a uniform buffer, found again by their content: equal parameters share a slot, so bind groups can be reused.

const SLOT = 256; // the largest minUniformBufferOffsetAlignment
const SLOTS = 4096;

/** Where a set of parameters lies. */
export interface ParamsSlot {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
  readonly id: number;
}

/** A slot is written once, before any command that reads it is submitted; a full page is followed by a new one. */
export class ParamsArena {
  #page: GPUBuffer | null = null;
  #pages: GPUBuffer[] = [];
  #used = 0;
  #nextId = 0;
  readonly #slots = new Map<string, ParamsSlot>();

  constructor(readonly device: GPUDevice) {}

  slot(words: Uint32Array<ArrayBuffer>): ParamsSlot {
    const key = words.join();
    const known = this.#slots.get(key);
    if (known) return known;
    const size = Math.ceil(words.byteLength / 16) * 16;
    if (size > SLOT) throw new Error(`kernel parameters of ${words.byteLength} bytes; ${SLOT} are allowed`);
    if (!this.#page || this.#used === SLOTS) {
      this.#page = this.device.createBuffer({ size: SLOT * SLOTS, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST, label: "params" });
      this.#pages.push(this.#page);
      this.#used = 0;
    }
    const slot = { buffer: this.#page, offset: SLOT * this.#used++, size, id: this.#nextId++ };
    this.device.queue.writeBuffer(slot.buffer, slot.offset, words);
    this.#slots.set(key, slot);
    return slot;
  }

  /** More than a few pages mean parameters that do not repeat; the owner then clears. */
  get full(): boolean {
    return this.#pages.length > 4;
  }

  /** Forgets every slot. Only when no recorded command waits. */
  clear(): void {
    for (const page of this.#pages) page.destroy();
    this.#pages = [];
    this.#page = null;
    this.#slots.clear();
  }
}
