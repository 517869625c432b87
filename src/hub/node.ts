// A model's folder on Node's disk. Apart from the rest of hub/, so that no page bundles node:fs.
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { type ByteSource, checkRange } from "../formats/byte-source.ts";
import { HubError } from "./errors.ts";
import { BaseFolder, type ModelFolder } from "./folder.ts";
import { type LoadProgress, ProgressMeter } from "./progress.ts";

/** Opens a directory as a model's folder. Throws HubError where there is none. */
export async function openDirectory(path: string, options: { onProgress?: (progress: LoadProgress) => void } = {}): Promise<ModelFolder> {
  const directory = resolve(path);
  const info = await stat(directory).catch(() => null);
  if (!info?.isDirectory()) throw new HubError(`${path}: there is no such folder`);
  return new DiskFolder(directory, new ProgressMeter("load", options.onProgress));
}

class DiskFolder extends BaseFolder {
  readonly revision = "local";
  readonly #directory: string;

  constructor(directory: string, reading: ProgressMeter) {
    super(basename(directory), reading);
    this.#directory = directory;
  }

  protected override async open(path: string): Promise<ByteSource | null> {
    return openFile(join(this.#directory, path), path);
  }
}

/** A file on disk by ranges, or null where there is none. The handle stays open until `close`. */
export async function openFile(path: string, name = path): Promise<ByteSource | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new HubError(`${name}: the file cannot be read (${String(code)})`);
  }
  const info = await handle.stat();
  if (!info.isFile()) {
    await handle.close();
    return null;
  }
  const { size } = info;
  return {
    name,
    size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      checkRange(name, size, start, end);
      const bytes = new Uint8Array(end - start);
      for (let filled = 0; filled < bytes.length;) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
        if (bytesRead === 0) throw new HubError(`${name}: the file became shorter while it was read`);
        filled += bytesRead;
      }
      signal?.throwIfAborted();
      return bytes;
    },
    close: () => handle.close(),
  };
}
