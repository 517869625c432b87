// Files that the command writes: checked before the work, whole or not at all afterwards.
import { access, constants, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UsageError } from "./flags.ts";

/** Tells before the work what would fail after it. Throws UsageError where a file cannot be written. */
export async function expectWritable(flag: string, file: string): Promise<void> {
  if (file === "") throw new UsageError(`--${flag} expects a file's name`);
  try {
    const found = await infoOf(file);
    if (found?.isDirectory()) throw new UsageError(`--${flag} ${file}: this is a folder, a file's name expected`);
    let place = resolve(file);
    while (!(await infoOf(place))) place = dirname(place);
    if (place !== resolve(file) && !(await stat(place)).isDirectory()) throw new UsageError(`--${flag} ${file}: ${place} is no folder`);
    await access(place, constants.W_OK);
  } catch (error) {
    throw unwritable(file, error);
  }
}

/** Writes a file, with the folders it lies in, and tells its name (on stderr where stdout is for something else). Throws UsageError, and then leaves no part of it. */
export async function writeOut(file: string, bytes: Uint8Array, told: Pick<NodeJS.WriteStream, "write"> = process.stdout): Promise<void> {
  const part = `${file}.part`;
  try {
    await makeFolder(dirname(resolve(file)));
    await writeFile(part, bytes);
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    throw unwritable(file, error);
  }
  told.write(`${file}\n`);
}

/** One by one, as Node's own recursion never ends where a file system (such as /proc) makes no folders. */
async function makeFolder(path: string): Promise<void> {
  if (await infoOf(path)) return;
  await makeFolder(dirname(path));
  await mkdir(path);
}

async function infoOf(path: string) {
  return stat(path).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  });
}

function unwritable(file: string, error: unknown): Error {
  return error instanceof UsageError ? error : new UsageError(`${file}: cannot be written (${String(codeOf(error) ?? error)}); choose another place`);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
