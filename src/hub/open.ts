// A model's location becomes its folder: a shipped id, an address, "owner/name" on a hub, or what the user picked.
import { type CacheStore, indexedDbStore } from "./cache.ts";
import { HubError } from "./errors.ts";
import { DirectoryHandleFolder, FileListFolder, type ModelFolder } from "./folder.ts";
import { type LoadProgress, ProgressMeter } from "./progress.ts";
import { RemoteFolder } from "./remote.ts";

/**
 * Where a model is: the id of one that ships ("emoji": models/emoji/ on this site), the address of a folder or of a GGUF
 * file, "owner/name" or "owner/name/file.gguf" (with `hubUrl`), a directory handle, files that were picked, or an opened folder.
 */
export type ModelLocation = string | URL | FileSystemDirectoryHandle | readonly File[] | ModelFolder;

export interface OpenModelOptions {
  /** Where models/ lies; the page's own address by default. */
  baseUrl?: string;
  /** The hub that "owner/name" stands for, as in "https://huggingface.co". Without it no other site is asked. */
  hubUrl?: string;
  /** The branch, tag or commit on the hub, "main" by default. */
  revision?: string;
  /** Whether to keep downloaded files for the next visit; true by default where there is IndexedDB. */
  cache?: boolean;
  onProgress?: (progress: LoadProgress) => void;
  /** Hears what is worth knowing and stops nothing, as that a model does not fit the cache; the console by default. */
  onWarning?: (message: string) => void;
  signal?: AbortSignal;
}

/** Takes a location before all others do, or returns null: how Node's command line adds paths on disk. */
export type Opener = (location: ModelLocation, options: OpenModelOptions) => Promise<ModelFolder | null>;

/** Asked in turn by `openModel`. */
export const openers: Opener[] = [];

/** Opens a model's folder. Throws HubError where there is none or where it cannot be reached. */
export async function openModel(
  location: ModelLocation, options: OpenModelOptions = {}, store: CacheStore | null = indexedDbStore(),
): Promise<ModelFolder> {
  options.signal?.throwIfAborted();
  for (const opener of openers) {
    const folder = await opener(location, options);
    if (folder !== null) return folder;
  }
  const reading = new ProgressMeter("load", options.onProgress);
  if (typeof location === "string" || location instanceof URL) {
    const downloading = new ProgressMeter("download", options.onProgress);
    const onWarning = options.onWarning ?? ((message: string) => console.warn(message));
    const usable = options.cache === false ? null : await usableStore(store, onWarning);
    const id = String(location);
    return RemoteFolder.open(addressOf(location, options), { id, store: usable, downloading, reading, signal: options.signal, onWarning });
  }
  if (isFolder(location)) return location;
  if ("getFileHandle" in location) return new DirectoryHandleFolder(location, reading);
  if (location.length === 0) throw new HubError("no files were selected: select the model's folder");
  return new FileListFolder(location, reading);
}

function isFolder(location: FileSystemDirectoryHandle | readonly File[] | ModelFolder): location is ModelFolder {
  return "json" in location && "source" in location;
}

/** The address of the folder, ending in "/". */
function addressOf(location: string | URL, { baseUrl, hubUrl, revision = "main" }: OpenModelOptions): URL {
  if (location instanceof URL) return location;
  if (/^https?:\/\//i.test(location)) return new URL(location);
  if (/^[\w-][\w.-]*$/.test(location)) return new URL(`models/${location}/`, folderOf(baseUrl ?? pageAddress(location)));
  const repository = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:\/((?:[\w-][\w.-]*\/)*[\w-][\w.-]*\.gguf))?$/i.exec(location);
  if (repository !== null) {
    const [, name, file = ""] = repository;
    if (hubUrl === undefined) {
      throw new HubError(`${location}: a model on another site is loaded only when asked for: pass hubUrl (as "https://huggingface.co") or the folder's full address`);
    }
    return new URL(`${name}/resolve/${encodeURIComponent(revision)}/${file}`, folderOf(hubUrl));
  }
  throw new HubError(`${JSON.stringify(location)} is no model: the id of one that ships, a folder's address, or owner/name expected`);
}

function pageAddress(location: string): string {
  if (typeof document !== "undefined") return document.baseURI;
  if (typeof self !== "undefined" && self.location) return new URL("/", self.location.href).href;
  throw new HubError(`${location}: pass baseUrl, the address below which models/ lies`);
}

function folderOf(address: string): string {
  return address.endsWith("/") ? address : address.replace(/[^/]*\.html?$/, "").replace(/\/?$/, "/");
}

/** The store if it works; a browser may forbid it, as some do in private windows. */
async function usableStore(store: CacheStore | null, onWarning: (message: string) => void): Promise<CacheStore | null> {
  try {
    await store?.keys();
    return store;
  } catch (error) {
    onWarning(`This browser keeps no files for this page (${error instanceof Error ? error.message : String(error)}): models will be downloaded again next time.`);
    return null;
  }
}
