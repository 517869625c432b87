// A model as its publisher's folder (model_index.json or config.json, weights, tokenizer), wherever it lies; here, folders
// that the user picked. A remote one is in remote.ts, one on Node's disk in node.ts.
import { blobSource, type ByteSource } from "../formats/byte-source.ts";
import { safePath } from "../formats/safe-path.ts";
import { HubError } from "./errors.ts";
import type { ProgressMeter } from "./progress.ts";

/** A model as its publisher's folder. Paths are relative, with forward slashes; one that leads out is a FormatError. */
export interface ModelFolder {
  /** What errors and the cache call the model: a shipped id, an address, a folder's name. */
  readonly id: string;
  /** Which version of the files this is, as far as their place tells: a commit, an entity tag, "local". */
  readonly revision: string;
  has(path: string): Promise<boolean>;
  /** The parsed file, null where there is none. Throws HubError if it is no JSON. */
  json(path: string): Promise<unknown | null>;
  /** The file as UTF-8, null where there is none. */
  text(path: string): Promise<string | null>;
  /** The file, to be read by ranges. Throws HubError where there is none. */
  source(path: string): Promise<ByteSource>;
  /** The GGUF file that was opened in the folder's place, if one was. */
  readonly gguf?: string | null;
  /** Names of the files at the top of the folder, as far as it can be listed. A folder of one's own may leave it out. */
  names?(): Promise<readonly string[]>;
}

/** Whether a path or an address names a GGUF file. */
export function isGguf(path: string): boolean {
  return /\.gguf$/i.test(path);
}

/** What all folders share, on top of the one thing in which they differ: opening a file. */
export abstract class BaseFolder implements ModelFolder {
  readonly id: string;
  abstract readonly revision: string;
  readonly #reading: ProgressMeter | undefined;

  /** `reading` counts the bytes that pass through `source`. */
  constructor(id: string, reading?: ProgressMeter, readonly gguf: string | null = null) {
    this.id = id;
    this.#reading = reading;
  }

  /** The file, or null where there is none; `path` is safe already. */
  protected abstract open(path: string): Promise<ByteSource | null>;

  async has(path: string): Promise<boolean> {
    return this.exists(safePath(path));
  }

  async names(): Promise<readonly string[]> {
    return (await this.exists("model.gguf")) ? ["model.gguf"] : []; // a web server does not list
  }

  protected async exists(path: string): Promise<boolean> {
    const source = await this.open(path);
    await source?.close?.();
    return source !== null;
  }

  async text(path: string): Promise<string | null> {
    const source = await this.open(safePath(path));
    if (source === null) return null;
    try {
      return new TextDecoder().decode(await source.read(0, source.size));
    } finally {
      await source.close?.();
    }
  }

  async json(path: string): Promise<unknown | null> {
    const text = await this.text(path);
    if (text === null) return null;
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new HubError(`${this.id}: ${path} is no JSON (${error instanceof Error ? error.message : String(error)})`);
    }
  }

  async source(path: string): Promise<ByteSource> {
    const source = await this.open(safePath(path));
    if (source === null) throw new HubError(`${this.id}: there is no file ${path}`);
    return this.#reading === undefined ? source : metered(source, path, this.#reading);
  }
}

/** Files of an `<input type="file" webkitdirectory>`, or a plain selection of files that lie in one folder. */
export class FileListFolder extends BaseFolder {
  readonly revision = "local";
  readonly #files = new Map<string, File>();

  constructor(files: readonly File[], reading?: ProgressMeter) {
    const paths = files.map((file) => file.webkitRelativePath || file.name);
    const root = commonFolder(paths);
    const [only] = paths;
    super(root.replace(/\/$/, "") || (paths.length === 1 && isGguf(only) ? only : "selected files"), reading);
    files.forEach((file, i) => this.#files.set(paths[i].slice(root.length), file));
  }

  override async names(): Promise<readonly string[]> {
    return [...this.#files.keys()].filter((path) => !path.includes("/"));
  }

  protected override async open(path: string): Promise<ByteSource | null> {
    const file = this.#files.get(path);
    return file === undefined ? null : blobSource(path, file);
  }
}

/** The folder that holds model_index.json or config.json nearest to the top, or else the one all paths begin with. */
function commonFolder(paths: readonly string[]): string {
  const roots = ["model_index.json", "config.json"].flatMap((name) =>
    paths.filter((path) => path === name || path.endsWith(`/${name}`)).map((path) => path.slice(0, -name.length)));
  const depth = (root: string): number => root.split("/").length;
  const [nearest] = roots.sort((a, b) => depth(a) - depth(b));
  if (nearest !== undefined) return nearest;
  const top = paths.length > 0 && paths[0].includes("/") ? paths[0].slice(0, paths[0].indexOf("/") + 1) : "";
  return paths.every((path) => path.startsWith(top)) ? top : "";
}

/** A directory from `showDirectoryPicker()` or the origin's private file system. */
export class DirectoryHandleFolder extends BaseFolder {
  readonly revision = "local";
  readonly #directory: FileSystemDirectoryHandle;

  constructor(directory: FileSystemDirectoryHandle, reading?: ProgressMeter) {
    super(directory.name || "selected folder", reading);
    this.#directory = directory;
  }

  override async names(): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const [name, { kind }] of this.#directory.entries()) {
      if (kind === "file") names.push(name);
    }
    return names;
  }

  protected override async open(path: string): Promise<ByteSource | null> {
    const parts = path.split("/");
    const name = parts[parts.length - 1];
    try {
      let directory = this.#directory;
      for (const part of parts.slice(0, -1)) directory = await directory.getDirectoryHandle(part);
      return blobSource(path, await (await directory.getFileHandle(name)).getFile());
    } catch (error) {
      const absent = error instanceof DOMException && (error.name === "NotFoundError" || error.name === "TypeMismatchError");
      if (absent) return null;
      throw error;
    }
  }
}

/** The same file; what is read from it is counted. */
export function metered(source: ByteSource, path: string, meter: ProgressMeter): ByteSource {
  meter.expect(path, source.size);
  return {
    name: source.name,
    size: source.size,
    async read(start, end, signal, into) {
      const bytes = await source.read(start, end, signal, into);
      meter.advance(path, bytes.byteLength);
      return bytes;
    },
    close: () => source.close?.() ?? Promise.resolve(),
  };
}
