// A range of a file in chunks through one buffer, which the next range uses again: thousands of tensors leave no garbage.
import type { ByteSource } from "./byte-source.ts";

const defaultChunkBytes = 16 * 2 ** 20;

export interface ChunkOptions {
  signal?: AbortSignal;
  /** Of a chunk, at most; 16 MiB by default. */
  chunkBytes?: number;
}

/** The size of chunks of whole items: at most `chunkBytes`, at least one item. */
export function wholeChunk(itemBytes: number, chunkBytes = defaultChunkBytes): number {
  return Math.max(1, Math.floor(chunkBytes / itemBytes)) * itemBytes;
}

export class ChunkReader {
  #spare: Uint8Array | null = null;

  /** Bytes begin … end − 1 in order, all chunks but the last of `chunkBytes`. A chunk holds until the next pull, from this reader. */
  async *read(source: ByteSource, begin: number, end: number, chunkBytes: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const needed = Math.min(chunkBytes, end - begin);
    const buffer = this.#spare !== null && this.#spare.byteLength >= needed ? this.#spare : new Uint8Array(needed);
    this.#spare = null; // another stream meanwhile has its own
    try {
      for (let at = begin; at < end; at += chunkBytes) {
        yield await source.read(at, Math.min(at + chunkBytes, end), signal, buffer);
      }
    } finally {
      this.#spare = buffer;
    }
  }

  /** Gives the buffer back. */
  close(): void {
    this.#spare = null;
  }
}
