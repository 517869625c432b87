// A file on a web server as a ByteSource: from the cache where it can be kept, by ranges from the server where it cannot.
import { blobSource, type ByteSource, checkRange } from "../formats/byte-source.ts";
import { type FolderCache, type Manifest, pieceBytes, pieceSpan, StorageError } from "./cache.ts";
import { download, receive, type RemoteFile } from "./download.ts";
import { request } from "./http.ts";

/**
 * Opens a file on a server. With a cache, all of it is kept when this returns, and reads are local; where it does not fit,
 * `onWarning` hears of it, and reads ask the server. Throws HubError, and `signal.reason` when aborted.
 */
export async function openRemoteFile(file: RemoteFile, cache: FolderCache | null, onWarning: (message: string) => void): Promise<ByteSource> {
  if (cache === null) return rangeSource(file);
  try {
    const manifest = await cache.manifest(file.path);
    const current = manifest?.revision === file.version.revision && (file.version.size ?? manifest.size) === manifest.size;
    return cachedSource(file, cache, manifest !== null && current ? manifest : await download(file, cache));
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    onWarning(`${file.id}: ${file.path} will have to be downloaded again next time, since ${error.message}`);
    file.downloading.forget(file.path);
    await cache.forget(file.path);
    return rangeSource(file);
  }
}

/** Reads from the cache; a piece that is missing or damaged there is fetched anew, from the server alone if it must be. */
function cachedSource(file: RemoteFile, cache: FolderCache, manifest: Manifest): ByteSource {
  const { path } = file;
  const { revision, size, sha256 } = manifest;
  const current: RemoteFile = { ...file, version: { ...file.version, revision, size } };
  let server: Promise<ByteSource> | null = null;
  return pieceSource(path, size, async (index, signal) => {
    const [start, end] = pieceSpan(index, size);
    const kept = await cache.piece(path, revision, start, end, sha256[index]);
    if (kept !== null) return kept.bytes;
    await download(current, cache);
    const repaired = await cache.piece(path, revision, start, end);
    if (repaired !== null) return repaired.bytes;
    server ??= rangeSource(current);
    return (await (await server).read(start, end, signal)).slice().buffer;
  });
}

/** Reads from the server, range by range; from one that knows no ranges, all of it at the first read, into a Blob. */
async function rangeSource(file: RemoteFile): Promise<ByteSource> {
  const { url, path, version, downloading } = file;
  const { size } = version;
  if (size === null) return wholeSource(file, (await request(url, version.revision, null, file.signal)).body);
  downloading.expect(path, size);
  let whole: ByteSource | null = null;
  return pieceSource(path, size, async (index, signal = file.signal) => {
    const [start, end] = pieceSpan(index, size);
    if (whole === null) {
      const { body, partial } = await request(url, version.revision, [start, end], signal);
      if (partial) {
        for await (const { bytes } of receive({ ...file, signal }, body, start, end)) return bytes;
      }
      whole = await wholeSource({ ...file, signal }, body);
    }
    return (await whole.read(start, end, signal)).slice().buffer;
  });
}

/** A whole body as a file; the browser moves large Blobs out of memory. */
async function wholeSource(file: RemoteFile, body: ReadableStream<Uint8Array>): Promise<ByteSource> {
  const parts: Blob[] = [];
  for await (const { bytes } of receive(file, body, 0, file.version.size)) parts.push(new Blob([bytes]));
  return blobSource(file.path, new Blob(parts));
}

/** A file whose pieces `load` brings; the latest piece stays in memory until `close`. */
function pieceSource(name: string, size: number, load: (index: number, signal?: AbortSignal) => Promise<ArrayBuffer>): ByteSource {
  let latest: { index: number; bytes: ArrayBuffer } | null = null;
  async function part(index: number, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (latest?.index !== index) latest = { index, bytes: await load(index, signal) };
    return new Uint8Array(latest.bytes, start - index * pieceBytes, end - start);
  }
  return {
    name,
    size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      checkRange(name, size, start, end);
      const first = Math.floor(start / pieceBytes);
      if (start < end && end <= (first + 1) * pieceBytes) return part(first, start, end, signal);
      const bytes = new Uint8Array(end - start);
      for (let at = start; at < end;) {
        const index = Math.floor(at / pieceBytes);
        const stop = Math.min(end, (index + 1) * pieceBytes);
        bytes.set(await part(index, at, stop, signal), at - start);
        at = stop;
      }
      return bytes;
    },
    async close() {
      latest = null; // the file can still be read
    },
  };
}
