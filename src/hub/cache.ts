// Downloaded model files, kept in IndexedDB in pieces under revision/path/range. A file's manifest, with the SHA-256 of
// every piece, is written last: without it, or with a piece missing or altered, the file does not count as cached.
import { createStore, del, get, keys, set } from "idb-keyval";
import { isObject } from "../formats/json.ts";
import { HubError } from "./errors.ts";

/** The cache has no room, or cannot be written. */
export class StorageError extends HubError {
  constructor(needed: number, free: number, cause?: unknown) {
    const why = cause === undefined || isFull(cause) ? "is too small" : `failed (${String(cause)})`;
    super(`the browser's storage ${why}: ${megabytes(needed)} needed, ${megabytes(free)} free. Delete cached models or make room on the disk.`, { cause });
  }
}

function isFull(cause: unknown): boolean {
  return cause instanceof DOMException && cause.name === "QuotaExceededError";
}

function megabytes(bytes: number): string {
  return Number.isFinite(bytes) ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : "an unknown amount";
}

/** Where pieces and manifests lie; IndexedDB in the page, a map in tests. */
export interface CacheStore {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<void>;
  del(key: string): Promise<void>;
  keys(): Promise<string[]>;
}

/** What the cache knows of one file of a model. */
export interface Manifest {
  /** The model as the user named it. */
  readonly id: string;
  /** The folder's commit when the file was last known to be current, "" where there are none. */
  readonly commit: string;
  /** The file's own version. */
  readonly revision: string;
  /** −1: the publisher's folder has no such file, which a visit without a network must know too. */
  readonly size: number;
  /** Of each piece. */
  readonly sha256: readonly string[];
}

/** A piece as the store holds it. */
export interface KeptPiece {
  readonly bytes: ArrayBuffer;
  readonly sha256: string;
}

/** A model in the cache. */
export interface CachedModel {
  readonly id: string;
  readonly url: string;
  /** Files that are there as a whole. */
  readonly files: number;
  /** Bytes kept, those of unfinished downloads included. */
  readonly bytes: number;
}

/** Length of every piece but a file's last. */
export const pieceBytes = 8 * 2 ** 20;

/** Where a piece lies in a file of `size` bytes. */
export function pieceSpan(index: number, size: number): [start: number, end: number] {
  return [index * pieceBytes, Math.min((index + 1) * pieceBytes, size)];
}

/** The database "kiln-weights" of this origin, or null where there is no IndexedDB (Node). */
export function indexedDbStore(): CacheStore | null {
  if (typeof indexedDB === "undefined") return null;
  opened ??= openDatabase();
  return opened;
}

let opened: CacheStore | undefined;

function openDatabase(): CacheStore {
  const database = createStore("kiln-weights", "files");
  return {
    get: (key) => get<unknown>(key, database),
    set: (key, value) => set(key, value, database),
    del: (key) => del(key, database),
    keys: () => keys<string>(database),
  };
}

/** The cached files of one model folder. */
export class FolderCache {
  readonly #store: CacheStore;
  readonly #url: string;

  constructor(url: string, store: CacheStore) {
    this.#store = store;
    this.#url = url;
  }

  /** The manifest of a file that is kept as a whole (or known to be absent), else null. */
  async manifest(path: string): Promise<Manifest | null> {
    const manifest = parseManifest(await this.#get(manifestKey(this.#url, path)));
    if (manifest === null || manifest.size <= 0) return manifest;
    const keys = new Set(await this.#store.keys());
    return piecesOf(this.#url, path, manifest).every((key) => keys.has(key)) ? manifest : null;
  }

  /** Declares a file kept as a whole (or absent), and drops what is left of its other versions. */
  async complete(path: string, manifest: Manifest): Promise<void> {
    await this.#set(manifestKey(this.#url, path), manifest, 1000);
    for (const key of await this.#store.keys()) {
      const piece = parsePieceKey(key);
      const stale = piece?.url === this.#url && piece.path === path && piece.revision !== manifest.revision;
      if (stale) await this.#store.del(key);
    }
  }

  /** A kept piece with its hash, or null; one that is not as it was written (or not as `sha256` says) is deleted. */
  async piece(path: string, revision: string, start: number, end: number, sha256?: string): Promise<KeptPiece | null> {
    const key = pieceKey(this.#url, path, revision, start, end);
    const stored = await this.#get(key);
    if (stored === undefined) return null;
    const bytes = isObject(stored) && stored.bytes instanceof ArrayBuffer ? stored.bytes : null;
    const expected = sha256 ?? (isObject(stored) ? stored.sha256 : undefined);
    if (bytes?.byteLength === end - start) {
      const actual = await sha256Of(bytes);
      if (actual === expected) return { bytes, sha256: actual };
    }
    await this.#store.del(key);
    return null;
  }

  /** Keeps a piece; returns its hash. Throws StorageError, as when the store is full. */
  async keep(path: string, revision: string, start: number, bytes: ArrayBuffer): Promise<string> {
    const sha256 = await sha256Of(bytes);
    await this.#set(pieceKey(this.#url, path, revision, start, start + bytes.byteLength), { bytes, sha256 }, bytes.byteLength);
    return sha256;
  }

  /** What cannot be read counts as missing: it can be had from the server again. */
  async #get(key: string): Promise<unknown> {
    return this.#store.get(key).catch(() => undefined);
  }

  async #set(key: string, value: KeptPiece | Manifest, size: number): Promise<void> {
    try {
      await this.#store.set(key, value);
    } catch (error) {
      throw new StorageError(size, await freeStorage(), error);
    }
  }

  /** Deletes everything kept of a file. */
  async forget(path: string): Promise<void> {
    await deleteWhere(this.#store, (entry) => entry.url === this.#url && entry.path === path);
  }
}

/** Every model in the cache, unfinished ones included. */
export async function listCached(store: CacheStore | null = indexedDbStore()): Promise<CachedModel[]> {
  const keys = new Set((await store?.keys()) ?? []);
  const models = new Map<string, { id: string; url: string; files: number; bytes: number }>();
  const modelAt = (url: string) => {
    const model = models.get(url) ?? { id: url, url, files: 0, bytes: 0 };
    models.set(url, model);
    return model;
  };
  for (const key of keys) {
    const piece = parsePieceKey(key);
    if (piece !== null) modelAt(piece.url).bytes += piece.end - piece.start;
    const file = parseManifestKey(key);
    const manifest = file === null ? null : parseManifest(await store?.get(key));
    if (file === null || manifest === null) continue;
    const model = modelAt(file.url);
    model.id = manifest.id;
    if (manifest.size >= 0 && piecesOf(file.url, file.path, manifest).every((pieceKey) => keys.has(pieceKey))) model.files++;
  }
  return [...models.values()];
}

/** Bytes of all models in the cache. */
export async function cachedSize(store: CacheStore | null = indexedDbStore()): Promise<number> {
  return (await listCached(store)).reduce((sum, model) => sum + model.bytes, 0);
}

/** Deletes a model, named by its id or its address as `listCached` gives them. */
export async function deleteCached(id: string, store: CacheStore | null = indexedDbStore()): Promise<void> {
  if (store === null) return;
  const urls = new Set((await listCached(store)).filter((model) => model.id === id || model.url === id).map((model) => model.url));
  await deleteWhere(store, (entry) => urls.has(entry.url));
}

let persistenceAsked = false;

/** Asks the browser, once a session, not to clear the cache when space runs short. A worker cannot ask. */
export async function keepStorage(): Promise<void> {
  if (persistenceAsked || typeof navigator === "undefined" || typeof navigator.storage?.persist !== "function") return;
  persistenceAsked = true;
  await navigator.storage.persist().catch(() => false); // a refusal changes nothing for us
}

/** Bytes that the browser would still let this origin keep; Infinity where it does not say. */
export async function freeStorage(): Promise<number> {
  if (typeof navigator === "undefined" || typeof navigator.storage?.estimate !== "function") return Infinity;
  const { quota, usage } = await navigator.storage.estimate();
  return quota === undefined ? Infinity : Math.max(0, quota - (usage ?? 0));
}

interface FileKey {
  readonly url: string;
  readonly path: string;
}

interface PieceKey extends FileKey {
  readonly revision: string;
  readonly start: number;
  readonly end: number;
}

async function deleteWhere(store: CacheStore, matches: (entry: FileKey) => boolean): Promise<void> {
  // Manifests first: should this be cut short, no file is left that seems whole.
  const entries = (await store.keys()).map((key) => ({ key, entry: parseManifestKey(key) ?? parsePieceKey(key) }));
  const doomed = entries.filter(({ entry }) => entry !== null && matches(entry));
  doomed.sort((a, b) => Number(b.key.startsWith("manifest")) - Number(a.key.startsWith("manifest")));
  for (const { key } of doomed) await store.del(key);
}

function manifestKey(url: string, path: string): string {
  return ["manifest", url, path].map(encodeURIComponent).join("|");
}

function pieceKey(url: string, path: string, revision: string, start: number, end: number): string {
  return ["piece", url, path, revision, `${start}-${end}`].map(encodeURIComponent).join("|");
}

/** The keys of all pieces of a file. */
function piecesOf(url: string, path: string, { revision, size, sha256 }: Manifest): string[] {
  return sha256.map((_, i) => pieceKey(url, path, revision, ...pieceSpan(i, size)));
}

function parseManifestKey(key: string): FileKey | null {
  const [kind, url, path] = key.split("|").map(decodeURIComponent);
  return kind === "manifest" && path !== undefined ? { url, path } : null;
}

function parsePieceKey(key: string): PieceKey | null {
  const [kind, url, path, revision, range] = key.split("|").map(decodeURIComponent);
  if (kind !== "piece" || range === undefined) return null;
  const [start, end] = range.split("-").map(Number);
  return { url, path, revision, start, end };
}

function parseManifest(value: unknown): Manifest | null {
  if (!isObject(value)) return null;
  const { id, commit, revision, size, sha256 } = value;
  if (typeof id !== "string" || typeof commit !== "string" || typeof revision !== "string") return null;
  if (typeof size !== "number" || !Array.isArray(sha256)) return null;
  const hashes = sha256.filter((hash) => typeof hash === "string");
  return hashes.length === Math.ceil(Math.max(0, size) / pieceBytes) ? { id, commit, revision, size, sha256: hashes } : null;
}

async function sha256Of(bytes: ArrayBuffer): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
