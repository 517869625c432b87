// Folders that are at hand: picked files, a directory handle, Node's disk; and finding a part's weights in them.
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { openCheckpoint } from "../../src/hub/checkpoint.ts";
import type { ModelFolder } from "../../src/hub/folder.ts";
import { openDirectory } from "../../src/hub/node.ts";
import { openers, openModel } from "../../src/hub/open.ts";
import type { LoadProgress } from "../../src/hub/progress.ts";

const weights = (...names: string[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(writeSafetensors(Object.fromEntries(names.map((name) => [name, { dtype: "U8" as const, shape: [1], data: new Uint8Array([names.length]) }]))));

const files: Record<string, string | Uint8Array<ArrayBuffer>> = {
  "model_index.json": "{}",
  "broken.json": "{",
  "unet/config.json": '{"b":2}',
  "unet/diffusion_pytorch_model.safetensors": weights("a"),
  "vae/config.json": "{}",
  "vae/model.safetensors.index.json": JSON.stringify({ weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" } }),
  "vae/model-1.safetensors": weights("a"),
  "vae/model-2.safetensors": weights("b"),
  "half/model.fp16.safetensors": weights("a", "b"),
  "pickled/pytorch_model.bin": "",
  "climbing/model.safetensors.index.json": JSON.stringify({ weight_map: { a: "../unet/diffusion_pytorch_model.safetensors" } }),
};

/** As a browser gives the files of a picked folder. */
function pickedFiles(root: string): File[] {
  return Object.entries(files).map(([path, content]) => {
    const file = new File([content], path.slice(path.lastIndexOf("/") + 1));
    return Object.defineProperty(file, "webkitRelativePath", { value: `${root}${path}` });
  });
}

/** The part of a directory handle that is used, over the same files. */
function directoryHandle(prefix = ""): FileSystemDirectoryHandle {
  const absent = (): never => {
    throw new DOMException("not here", "NotFoundError");
  };
  const handle = {
    kind: "directory",
    name: prefix === "" ? "picked" : prefix,
    getDirectoryHandle: async (name: string) => (Object.keys(files).some((path) => path.startsWith(`${prefix}${name}/`)) ? directoryHandle(`${prefix}${name}/`) : absent()),
    getFileHandle: async (name: string) => (`${prefix}${name}` in files ? { getFile: async () => new File([files[`${prefix}${name}`]], name) } : absent()),
  };
  return handle as FileSystemDirectoryHandle;
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kiln-folder-"));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(directory, path, ".."), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  await symlink(join(directory, "unet/config.json"), join(directory, "linked.json")); // as the Hub's own cache on disk has them
});
afterAll(() => rm(directory, { recursive: true }));

const places: [string, string, () => Promise<ModelFolder>][] = [
  ["picked files of a folder", "sd", () => openModel(pickedFiles("sd/"), {}, null)],
  ["picked files of a folder within others", "models/sd", () => openModel(pickedFiles("models/sd/"), {}, null)],
  ["picked files without folders", "selected files", () => openModel(pickedFiles(""), {}, null)],
  ["a directory handle", "picked", () => openModel(directoryHandle(), {}, null)],
  ["a directory on disk", "kiln-folder-", () => openDirectory(directory)],
];
describe.each(places)("%s", (_name, id, open) => {
  test("reads files by their paths", async () => {
    const folder = await open();
    expect(folder.id).toMatch(new RegExp(`^${id}`));
    expect(await folder.json("unet/config.json")).toEqual({ b: 2 });
    expect([await folder.has("unet"), await folder.has("unet/config.json"), await folder.json("no/such.json"), await folder.text("unet/nothing")]).toEqual([false, true, null, null]);
    await expect(folder.json("broken.json")).rejects.toThrow("broken.json is no JSON");
    await expect(folder.source("no.safetensors")).rejects.toThrow("there is no file no.safetensors");
    for (const climbing of ["../x", "/etc/passwd", "unet/../model_index.json"]) await expect(folder.has(climbing)).rejects.toThrow("is refused");
  });

  test("finds weights: one file, shards, a variant when asked for", async () => {
    const folder = await open();
    expect([...(await openCheckpoint(folder, "unet", "diffusion_pytorch_model")).tensors.keys()]).toEqual(["a"]);
    const sharded = await openCheckpoint(folder, "vae", "model");
    expect([...sharded.tensors.keys()]).toEqual(["a", "b"]);
    for await (const chunk of sharded.stream("b")) expect([...chunk]).toEqual([1]);
    await sharded.close();
    expect((await openCheckpoint(folder, "half", "model", { variant: "fp16" })).tensors.size).toBe(2);
  });

  test("says why there are no weights", async () => {
    const folder = await open();
    expect((await openCheckpoint(folder, "half", "model")).tensors.size).toBe(2); // the only one there is
    await expect(openCheckpoint(folder, "half", "model", { variant: "fp8" })).rejects.toThrow("there is no half/model.fp8.safetensors");
    await expect(openCheckpoint(folder, "unet", "diffusion_pytorch_model", { variant: "fp16" })).rejects.toThrow("leave it out");
    await expect(openCheckpoint(folder, "pickled", "model")).rejects.toThrow("only pickled/pytorch_model.bin, a pickle");
    await expect(openCheckpoint(folder, "nowhere", "model")).rejects.toThrow(/there is no nowhere\/model\.safetensors$/);
    await expect(openCheckpoint(folder, "climbing", "model")).rejects.toThrow("a file beside it expected");
  });
});

test("reading is reported, over all files", async () => {
  const reports: LoadProgress[] = [];
  const folder = await openModel(pickedFiles("sd/"), { onProgress: (report) => reports.push(report) }, null);
  const checkpoint = await openCheckpoint(folder, "unet", "diffusion_pytorch_model");
  for await (const chunk of checkpoint.stream("a")) expect(chunk).toHaveLength(1);
  const { byteLength } = weights("a");
  expect(reports.at(-1)).toMatchObject({ status: "load", file: "unet/diffusion_pytorch_model.safetensors", loaded: byteLength, total: byteLength });
});

test("links on disk are followed; a folder that is none is an error", async () => {
  expect(await (await openDirectory(directory)).json("linked.json")).toEqual({ b: 2 });
  await expect(openDirectory(join(directory, "nowhere"))).rejects.toThrow("there is no such folder");
  await expect(openDirectory(join(directory, "model_index.json"))).rejects.toThrow("there is no such folder");
});

test("openers come first, and an opened folder is its own location", async () => {
  const folder = await openDirectory(directory);
  expect(await openModel(folder, {}, null)).toBe(folder);
  openers.push(async (location) => (location === "./here" ? folder : null));
  try {
    expect(await openModel("./here", {}, null)).toBe(folder);
    await expect(openModel("./there", {}, null)).rejects.toThrow("is no model");
  } finally {
    openers.pop();
  }
});
