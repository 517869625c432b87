// A model's folder on a web server: plain files under one address, as on the page's own site or in the Hub's
// `resolve/<revision>` layout. Files pass in pieces of 8 MiB and are kept in the cache where there is one.
import type { ByteSource } from "../formats/byte-source.ts";
import { safePath } from "../formats/safe-path.ts";
import { type CacheStore, FolderCache, type Manifest, StorageError } from "./cache.ts";
import { HubError } from "./errors.ts";
import { BaseFolder, isGguf } from "./folder.ts";
import { probe, type RemoteVersion, UnreachableError } from "./http.ts";
import type { ProgressMeter } from "./progress.ts";
import { openRemoteFile } from "./remote-file.ts";

export interface RemoteOptions {
  id: string;
  /** null: nothing is kept. */
  store: CacheStore | null;
  downloading: ProgressMeter;
  reading: ProgressMeter;
  signal?: AbortSignal;
  onWarning: (message: string) => void;
}

export class RemoteFolder extends BaseFolder {
  readonly #url: URL;
  readonly #options: RemoteOptions;
  readonly #cache: FolderCache | null;
  readonly #probes = new Map<string, Promise<RemoteVersion | null>>();
  readonly #open = new Map<string, Promise<ByteSource | null>>();
  #commit = "";
  #revision = "";

  /** `place` is the model's address, a folder's or a GGUF file's: under it, the cache keeps files. */
  private constructor(url: URL, place: URL, gguf: string | null, options: RemoteOptions) {
    super(options.id, options.reading, gguf);
    this.#url = url;
    this.#options = options;
    this.#cache = options.store === null ? null : new FolderCache(place.href, options.store);
  }

  /**
   * Finds the model's index file, and with it the folder's revision; or the GGUF file at the address, in its folder.
   * Throws HubError where there is no model.
   */
  static async open(url: URL, options: RemoteOptions): Promise<RemoteFolder> {
    const place = new URL(url);
    const base = new URL(url);
    const gguf = isGguf(url.pathname) ? safePath(decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf("/") + 1))) : null;
    if (gguf !== null) {
      base.pathname = base.pathname.replace(/[^/]*$/, "");
      base.search = place.search = ""; // as ?download=true of the Hub's links
    } else if (!base.pathname.endsWith("/")) {
      base.pathname = place.pathname += "/";
    }
    const folder = new RemoteFolder(base, place, gguf, options);
    for (const path of gguf !== null ? [gguf] : ["model_index.json", "config.json", "model.gguf"]) {
      const version = await folder.#version(path);
      if (version === null) continue;
      folder.#commit = version.commit;
      folder.#revision = version.commit || version.revision;
      if (!isGguf(path)) await folder.open(path); // into the cache, so that the folder is found without a network, too
      return folder;
    }
    const missing = gguf === null ? `there is no model at ${base.href} (neither model_index.json nor config.json nor model.gguf)` : `there is no file ${place.href}`;
    throw new HubError(`${options.id}: ${missing}`);
  }

  get revision(): string {
    return this.#revision;
  }

  protected override async exists(path: string): Promise<boolean> {
    return (await this.#version(path)) !== null;
  }

  protected override open(path: string): Promise<ByteSource | null> {
    let file = this.#open.get(path);
    if (file === undefined) {
      file = this.#openFile(path);
      this.#open.set(path, file);
      file.catch(() => this.#open.delete(path)); // so that a second try is one
    }
    return file;
  }

  async #openFile(path: string): Promise<ByteSource | null> {
    const version = await this.#version(path);
    if (version === null) return null;
    const { downloading, signal, onWarning } = this.#options;
    return openRemoteFile({ url: this.#address(path), id: this.id, path, version, downloading, signal }, this.#cache, onWarning);
  }

  /** The file's current version, or the cached one where the network is away; null where there is no such file. */
  #version(path: string): Promise<RemoteVersion | null> {
    let version = this.#probes.get(path);
    if (version === undefined) {
      version = this.#findVersion(path);
      this.#probes.set(path, version);
      version.catch(() => this.#probes.delete(path));
    }
    return version;
  }

  async #findVersion(path: string): Promise<RemoteVersion | null> {
    const known = (await this.#cache?.manifest(path)) ?? null;
    if (known !== null && known.commit !== "" && known.commit === this.#commit) return versionOf(known);
    try {
      const current = await probe(this.#address(path), this.#options.signal);
      await this.#remember(path, known, current);
      return current;
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      if (known === null) throw new HubError(`${error.message}, and the cache does not hold ${path}`);
      return versionOf(known);
    }
  }

  /** Notes what the server said of a file that needs no download: that there is none, or that a new commit left it as it was. */
  async #remember(path: string, known: Manifest | null, current: RemoteVersion | null): Promise<void> {
    const commit = current?.commit || this.#commit;
    const absent: Manifest = { id: this.id, commit, revision: "", size: -1, sha256: [] };
    const note = current === null ? absent : known?.revision === current.revision ? { ...known, commit } : null;
    const overwrites = known !== null && known.size >= 0 && note === absent; // a kept file is not thrown away for a passing 404
    if (note === null || overwrites || known?.commit === note.commit) return;
    await this.#cache?.complete(path, note).catch((error: unknown) => {
      if (!(error instanceof StorageError)) throw error; // without room for the note, the next visit asks again
    });
  }

  /** Where the file lies; on the Hub, at the commit that the index file had, so that all files are of one version. */
  #address(path: string): URL {
    const folder = this.#commit === "" ? this.#url.pathname : this.#url.pathname.replace(/(\/resolve\/)[^/]+\//, `$1${this.#commit}/`);
    const url = new URL(this.#url);
    url.pathname = folder + path.split("/").map(encodeURIComponent).join("/");
    return url;
  }
}

function versionOf({ revision, commit, size }: Manifest): RemoteVersion | null {
  return size < 0 ? null : { revision, commit, size };
}
