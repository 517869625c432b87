// A model's folder on Node's disk. Apart from the rest of hub/, so that no page bundles node:fs.
import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type ByteSource, checkRange } from "../formats/byte-source.ts";
import { HubError } from "./errors.ts";
import { BaseFolder, isGguf, type ModelFolder } from "./folder.ts";
import { type LoadProgress, ProgressMeter } from "./progress.ts";

/** Opens a directory as a model's folder, or a GGUF file as one. Throws HubError where there is none. */
export async function openDirectory(path: string, options: { onProgress?: (progress: LoadProgress) => void } = {}): Promise<ModelFolder> {
  const directory = resolve(path);
  const info = await stat(directory).catch(() => null);
  const reading = new ProgressMeter("load", options.onProgress);
  if (info?.isFile() && isGguf(directory)) return new DiskFolder(dirname(directory), reading, basename(directory));
  if (!info?.isDirectory()) throw new HubError(`${path}: there is no such folder`);
  return new DiskFolder(directory, reading);
}

class DiskFolder extends BaseFolder {
  readonly revision = "local";
  readonly #directory: string;

  constructor(directory: string, reading: ProgressMeter, gguf: string | null = null) {
    super(gguf ?? basename(directory), reading, gguf);
    this.#directory = directory;
  }

  override async names(): Promise<readonly string[]> {
    return readdir(this.#directory);
  }

  protected override async open(path: string): Promise<ByteSource | null> {
    return openFile(join(this.#directory, path), path);
  }
}

/** A file on disk by ranges, or null where there is none. It is opened for each read, so nothing is left to close. */
export async function openFile(path: string, name = path): Promise<ByteSource | null> {
  const info = await stat(path).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return null;
    throw unreadable(name, error);
  });
  if (!info?.isFile()) return null;
  const { size } = info;
  return {
    name,
    size,
    async read(start, end, signal, into = new Uint8Array(end - start)) {
      signal?.throwIfAborted();
      checkRange(name, size, start, end);
      const bytes = into.subarray(0, end - start);
      const handle = await open(path, "r").catch((error: unknown) => {
        throw unreadable(name, error);
      });
      try {
        for (let filled = 0; filled < bytes.length;) {
          const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
          if (bytesRead === 0) throw new HubError(`${name}: the file became shorter while it was read`);
          filled += bytesRead;
        }
      } finally {
        await handle.close();
      }
      signal?.throwIfAborted();
      return bytes;
    },
  };
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function unreadable(name: string, error: unknown): HubError {
  return new HubError(`${name}: the file cannot be read (${String(codeOf(error) ?? error)})`);
}
