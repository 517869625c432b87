// What hub/ asks of a web server: whether a file is there and in which version, and a range of its bytes.
import { HubError } from "./errors.ts";

/** A file on a server, as its headers describe it. */
export interface RemoteVersion {
  /** Entity tag, else the repository's commit, else size and date: another one means another content. */
  readonly revision: string;
  /** The repository's commit, where the server names it (the Hub does), else "". */
  readonly commit: string;
  /** Bytes, or null where the server does not say. */
  readonly size: number | null;
}

/** The network did not answer, or the server failed: what the cache holds may stand in. */
export class UnreachableError extends HubError {}

/**
 * Asks for a file's headers. Null where the server has no such file, which includes servers that answer every unknown
 * address with an HTML page. Throws UnreachableError, or HubError where access is refused.
 */
export async function probe(url: URL, signal?: AbortSignal): Promise<RemoteVersion | null> {
  // The range makes the browser ask for the identity encoding, so that Content-Length is the file's own length.
  let response = await send(url, { method: "HEAD", headers: { Range: "bytes=0-" }, cache: "no-cache", signal });
  const refused = [403, 405, 501].includes(response.status); // by a server that knows no HEAD, or signs addresses for GET
  if (refused) {
    response = await send(url, { headers: { Range: "bytes=0-0" }, signal });
    await response.body?.cancel();
  }
  if (response.status === 416) return versionOf(response, 0); // an empty file has no byte 0
  if (response.status === 404 || response.status === 410) return null;
  expectOk(url, response);
  if (response.headers.get("Content-Type")?.startsWith("text/html")) return null;
  return versionOf(response, lengthOf(response, !refused || response.status === 200));
}

/** A body on its way. */
export interface Transfer {
  readonly body: ReadableStream<Uint8Array>;
  /** False where the server sends the whole file, whatever was asked for. */
  readonly partial: boolean;
}

/**
 * Asks for the bytes start … end − 1 of a file of this revision, or without a range for all of it. Throws HubError, also
 * where the file has changed meanwhile.
 */
export async function request(url: URL, revision: string, range: readonly [start: number, end: number] | null, signal?: AbortSignal): Promise<Transfer> {
  const headers: HeadersInit = range === null ? {} : { Range: `bytes=${range[0]}-${range[1] - 1}` };
  const response = await send(url, { headers, cache: "no-store", signal }); // what is kept is kept by us, not twice
  expectOk(url, response);
  if (response.body === null) throw new UnreachableError(`${url.href}: the server sent no content`);
  const partial = response.status === 206;
  const current = versionOf(response, null).revision;
  const sent = response.headers.get("Content-Range");
  try {
    if (current.startsWith("etag ") && revision.startsWith("etag ") && current !== revision) {
      throw new HubError(`${url.href}: the file changed on the server while it was loaded. Load the model again.`);
    }
    if (partial && range !== null && sent !== null && !sent.startsWith(`bytes ${range[0]}-${range[1] - 1}/`)) {
      throw new HubError(`${url.href}: the server sent ${sent}, bytes ${range[0]}-${range[1] - 1} asked for`);
    }
  } catch (error) {
    await response.body.cancel();
    throw error;
  }
  return { body: response.body, partial };
}

/** A body in pieces of `pieceBytes`, the last one shorter. Throws UnreachableError where the connection breaks. */
export async function* inPieces(
  body: ReadableStream<Uint8Array>, pieceBytes: number, onBytes: (count: number) => void, signal?: AbortSignal,
): AsyncGenerator<ArrayBuffer, void, undefined> {
  const reader = body.getReader();
  let piece = new Uint8Array(pieceBytes);
  let filled = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        signal?.throwIfAborted();
        throw new UnreachableError(`the connection broke (${messageOf(error)}). Load the model again: it goes on from here`);
      });
      if (done) break;
      onBytes(value.byteLength);
      for (let at = 0; at < value.byteLength;) {
        const part = value.subarray(at, at + pieceBytes - filled);
        piece.set(part, filled);
        at += part.byteLength;
        filled += part.byteLength;
        if (filled < pieceBytes) continue;
        yield piece.buffer;
        piece = new Uint8Array(pieceBytes); // the one before belongs to its receiver now
        filled = 0;
      }
    }
    if (filled > 0) yield piece.buffer.slice(0, filled);
  } finally {
    await reader.cancel().catch(() => undefined); // of no interest once the body has ended or failed
  }
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    init.signal?.throwIfAborted();
    throw new UnreachableError(`${url.href}: the server cannot be reached (${messageOf(error)})`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function expectOk(url: URL, { status, ok }: Response): void {
  if (ok) return;
  if (status >= 500 || status === 429) throw new UnreachableError(`${url.href}: the server answered ${status}. Try again later`);
  if (status === 401 || status === 403) {
    throw new HubError(`${url.href}: the server refuses access (${status}). Download the model's folder with your account and open that.`);
  }
  throw new HubError(`${url.href}: the server answered ${status}`);
}

function versionOf({ headers }: Response, size: number | null): RemoteVersion {
  const commit = headers.get("X-Repo-Commit") ?? "";
  const tag = headers.get("ETag")?.replace(/^W\//, "");
  const dated = `${size ?? "unknown"} bytes, ${headers.get("Last-Modified") ?? "undated"}`;
  return { revision: tag !== undefined ? `etag ${tag}` : commit !== "" ? `commit ${commit}` : dated, commit, size };
}

/** The file's length. Where Content-Range is hidden (from other sites' pages), an answer to "bytes=0-" has it as its own. */
function lengthOf({ headers }: Response, rangeToTheEnd: boolean): number | null {
  const total = /\/(\d+)$/.exec(headers.get("Content-Range") ?? "")?.[1];
  const own = rangeToTheEnd && !headers.has("Content-Encoding") ? headers.get("Content-Length") : null;
  const length = total ?? own;
  return length === null ? null : Number(length);
}
