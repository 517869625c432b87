// A file read by ranges: what every reader of large files in formats/ takes, so that it knows neither disk nor network.
import { FormatError } from "./errors.ts";

/** A file read by ranges. */
export interface ByteSource {
  /** What errors call the file. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Bytes start … end − 1, exactly end − start of them. The result may be a view of a buffer that the source keeps:
   * read it, do not write to it. With `into`, of at least as many bytes, the source may fill that and return a view of it.
   * Throws RangeError outside the file, `signal.reason` when aborted.
   */
  read(start: number, end: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
  /** Gives back what the source holds (a file handle, buffers). */
  close?(): Promise<void>;
}

/** A file that is in memory already. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      checkRange(name, bytes.byteLength, start, end);
      return bytes.subarray(start, end);
    },
  };
}

/** A Blob or a File that the user picked; only the ranges asked for come into memory. */
export function blobSource(name: string, blob: Blob): ByteSource {
  return {
    name,
    size: blob.size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      checkRange(name, blob.size, start, end);
      const bytes = new Uint8Array(await blob.slice(start, end).arrayBuffer());
      signal?.throwIfAborted();
      if (bytes.byteLength !== end - start) throw new FormatError(`${name}: the file became shorter while it was read`);
      return bytes;
    },
  };
}

/** Throws RangeError unless 0 ≤ start ≤ end ≤ size. */
export function checkRange(name: string, size: number, start: number, end: number): void {
  if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end && end <= size)) {
    throw new RangeError(`${name}: bytes ${start}…${end} asked for, the file has ${size}`);
  }
}
