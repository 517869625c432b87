// Brings a file from a web server into the cache, piece by piece, going on from the pieces that are there already.
import { type FolderCache, freeStorage, keepStorage, type Manifest, pieceBytes, pieceSpan, StorageError } from "./cache.ts";
import { HubError } from "./errors.ts";
import { inPieces, type RemoteVersion, request } from "./http.ts";
import type { ProgressMeter } from "./progress.ts";

/** A file on a server. */
export interface RemoteFile {
  readonly url: URL;
  /** The model's id, and the file's path in its folder. */
  readonly id: string;
  readonly path: string;
  readonly version: RemoteVersion;
  readonly downloading: ProgressMeter;
  readonly signal?: AbortSignal;
}

/** Returns the manifest of the file once all of it is kept. Throws HubError, StorageError where it does not fit. */
export async function download(file: RemoteFile, cache: FolderCache): Promise<Manifest> {
  const { id, path, version, signal } = file;
  const { commit, revision } = version;
  const sha256 = version.size === null ? [] : await resume(file, version.size, cache);
  let end = 0; // of what came last
  const take = async (range: [start: number, end: number] | null): Promise<void> => {
    const { body, partial } = await request(file.url, revision, range, signal);
    const [start, stop] = partial && range !== null ? range : [0, version.size]; // a server may send all for a range
    for await (const { index, bytes } of receive(file, body, start, stop)) {
      sha256[index] ??= await cache.keep(path, revision, index * pieceBytes, bytes);
      end = index * pieceBytes + bytes.byteLength;
    }
  };
  if (version.size === null) {
    await take(null);
  } else {
    for (let i = 0; i * pieceBytes < version.size; i++) {
      if (sha256[i] === undefined) await take(pieceSpan(i, version.size));
    }
  }
  signal?.throwIfAborted();
  const manifest: Manifest = { id, commit, revision, size: version.size ?? end, sha256 };
  await cache.complete(path, manifest);
  await keepStorage();
  return manifest;
}

/** The hashes of the pieces that are there from before, at their places. Throws StorageError where the others cannot fit. */
async function resume({ path, version, downloading }: RemoteFile, size: number, cache: FolderCache): Promise<string[]> {
  const sha256: string[] = [];
  let missing = size;
  for (let i = 0; i * pieceBytes < size; i++) {
    const [start, end] = pieceSpan(i, size);
    const kept = await cache.piece(path, version.revision, start, end);
    if (kept === null) continue;
    sha256[i] = kept.sha256;
    missing -= end - start;
  }
  const free = await freeStorage();
  if (missing > free) throw new StorageError(missing, free);
  downloading.expect(path, size, size - missing);
  return sha256;
}

/** The pieces of a body that holds the bytes start … end − 1 of the file; an end of null is wherever the body ends. */
export async function* receive(
  { url, path, downloading, signal }: RemoteFile, body: ReadableStream<Uint8Array>, start: number, end: number | null,
): AsyncGenerator<{ index: number; bytes: ArrayBuffer }, void, undefined> {
  const stop = end ?? Infinity;
  const length = Math.min(pieceBytes, Math.max(1, stop - start));
  let at = start;
  for await (const bytes of inPieces(body, length, (count) => downloading.advance(path, count), signal)) {
    const next = at + bytes.byteLength;
    if (end !== null && next !== Math.min(at + length, stop)) throw wrongLength(url, start, stop, next);
    yield { index: at / pieceBytes, bytes };
    at = next;
  }
  if (end !== null && at !== stop) throw wrongLength(url, start, stop, at);
}

function wrongLength(url: URL, start: number, end: number, at: number): HubError {
  return new HubError(`${url.href}: the server sent ${at - start} bytes of ${end - start}. Load the model again: it goes on from here.`);
}
