// GGUF files as models: picked, in a folder, on disk, at an address; split over files; chosen among others.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { listCached } from "../../src/hub/cache.ts";
import { HubError } from "../../src/hub/errors.ts";
import type { ModelFolder } from "../../src/hub/folder.ts";
import { openGgufModel } from "../../src/hub/gguf.ts";
import { openDirectory } from "../../src/hub/node.ts";
import { openModel } from "../../src/hub/open.ts";
import { float, gguf, string, uint, type Value } from "../formats/gguf-writer.ts";
import { MemoryStore } from "./memory-store.ts";
import { serve, type TestServer } from "./server.ts";

const metadata: (readonly [string, Value])[] = [
  ["general.architecture", string("llama")], ["llama.block_count", uint(1)], ["llama.embedding_length", uint(8)], ["llama.attention.head_count", uint(2)],
  ["llama.feed_forward_length", uint(16)], ["llama.context_length", uint(16)], ["llama.attention.layer_norm_rms_epsilon", float(1e-5)],
];
const file = (name: string, more: typeof metadata = []): Uint8Array<ArrayBuffer> =>
  gguf({ metadata: [...metadata, ...more], tensors: [{ name, dimensions: [8, 4], type: 0, offset: 0 }], data: 128 });
const split = (number: number, name: string): Uint8Array<ArrayBuffer> => file(name, [["split.no", uint(number)], ["split.count", uint(2)], ["split.tensors.count", uint(2)]]);
const model = file("token_embd.weight");

const folders: Record<string, Record<string, Uint8Array<ArrayBuffer>>> = {
  one: { "tiny.Q8_0.gguf": model, "mmproj-tiny.gguf": model, "README.md": new Uint8Array(3) },
  several: { "tiny.Q4_0.gguf": model, "tiny.Q8_0.gguf": model },
  both: { "tiny.gguf": model, "model.safetensors": new Uint8Array(3) },
  none: { "config.json": new TextEncoder().encode("{}") },
  split: { "m-00001-of-00002.gguf": split(0, "token_embd.weight"), "m-00002-of-00002.gguf": split(1, "output_norm.weight") },
};

const picked = (folder: string): File[] => Object.entries(folders[folder]).map(([name, bytes]) => Object.defineProperty(new File([bytes], name), "webkitRelativePath", { value: `${folder}/${name}` }));

/** The part of a directory handle that is used. */
function directoryHandle(folder: string): FileSystemDirectoryHandle {
  const files = folders[folder];
  const absent = (): never => {
    throw new DOMException("not here", "NotFoundError");
  };
  const handle: Partial<FileSystemDirectoryHandle> = {
    kind: "directory", name: folder, getDirectoryHandle: async (): Promise<FileSystemDirectoryHandle> => absent(),
    getFileHandle: async (name: string) => (name in files ? ({ getFile: async () => new File([files[name]], name) } as FileSystemFileHandle) : absent()),
  };
  async function* entries(): AsyncGenerator<[string, FileSystemHandle]> {
    for (const name of Object.keys(files)) yield [name, { kind: "file" } as FileSystemHandle];
    yield ["sub.gguf", { kind: "directory" } as FileSystemHandle];
  }
  return Object.assign(handle as FileSystemDirectoryHandle, { entries });
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kiln-gguf-"));
  for (const [folder, files] of Object.entries(folders)) {
    await mkdir(join(directory, folder));
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(directory, folder, name), bytes);
  }
});
afterAll(() => rm(directory, { recursive: true }));

async function expectModel(folder: ModelFolder, names: readonly string[] = ["model.embed_tokens.weight"]): Promise<void> {
  const opened = await openGgufModel(folder);
  expect(opened?.config).toMatchObject({ model_type: "llama", hidden_size: 8, vocab_size: 4 });
  expect([...(opened?.checkpoint.tensors.keys() ?? [])]).toEqual(names);
  let bytes = 0;
  for await (const chunk of opened?.checkpoint.stream(names[0]) ?? []) bytes += chunk.length;
  expect(bytes).toBe(128);
}

describe.each<[string, (folder: string) => Promise<ModelFolder>]>([
  ["picked files of a folder", (folder) => openModel(picked(folder), {}, null)],
  ["a directory handle", (folder) => openModel(directoryHandle(folder), {}, null)],
  ["a directory on disk", (folder) => openDirectory(join(directory, folder))],
])("%s", (_name, open) => {
  test("the only GGUF is the model, an image's projector is none", async () => expectModel(await open("one")));
  test("several are to be chosen from", async () => {
    await expect(openGgufModel(await open("several"))).rejects.toThrow("several GGUF files, tiny.Q4_0.gguf, tiny.Q8_0.gguf: open one of them");
    await expect(openGgufModel(await open("several"))).rejects.toBeInstanceOf(HubError);
  });
  test("safetensors come first; without either there is no such model", async () => {
    expect(await openGgufModel(await open("both"))).toBeNull();
    expect(await openGgufModel(await open("none"))).toBeNull();
  });
  test("a split model is one", async () => expectModel(await open("split"), ["model.embed_tokens.weight", "model.norm.weight"]));
});

test("a single file: picked, or a path on disk, beside others", async () => {
  const folder = await openModel([new File([model], "tiny.gguf")], {}, null);
  expect(folder.id).toBe("tiny.gguf");
  await expectModel(folder);
  const onDisk = await openDirectory(join(directory, "both/tiny.gguf"));
  expect(onDisk.id).toBe("tiny.gguf");
  await expectModel(onDisk);
  await expectModel(await openDirectory(join(directory, "split/m-00001-of-00002.gguf")), ["model.embed_tokens.weight", "model.norm.weight"]);
  await expect(openDirectory(join(directory, "both/nothing.gguf"))).rejects.toThrow("there is no such folder");
  await expect(openGgufModel(await openModel([new File([folders.split["m-00001-of-00002.gguf"]], "m-00001-of-00002.gguf")], {}, null))).rejects.toThrow("there is no file m-00002-of-00002.gguf");
});

describe("on a web server", () => {
  let server: TestServer;
  afterEach(() => server.close());

  test("an address, read by ranges, kept for the next visit without a network", async () => {
    server = await serve({ "files/tiny one.gguf": model, "files/config.json": "{}" }, { etag: () => '"1"' });
    const store = new MemoryStore();
    const url = `${server.url}files/tiny%20one.gguf?download=true`;
    await expectModel(await openModel(url, {}, store));
    expect(server.take().every((request) => request.includes("tiny%20one.gguf") || request.includes(".safetensors"))).toBe(true);
    expect(await listCached(store)).toMatchObject([{ id: url, url: `${server.url}files/tiny%20one.gguf`, files: 1, bytes: model.length }]);
    server.habits = { status: 503 };
    await expectModel(await openModel(url, {}, store));
    await expect(openModel(`${server.url}files/other.gguf`, {}, store)).rejects.toThrow("503");
  });

  test("a hub's file, all of one commit; a shipped model.gguf; what is not there", async () => {
    const commit = "0123456789abcdef";
    server = await serve({
      "owner/name/resolve/main/q/m-00001-of-00002.gguf": folders.split["m-00001-of-00002.gguf"],
      [`owner/name/resolve/${commit}/q/m-00001-of-00002.gguf`]: folders.split["m-00001-of-00002.gguf"],
      [`owner/name/resolve/${commit}/q/m-00002-of-00002.gguf`]: folders.split["m-00002-of-00002.gguf"],
      "models/storyteller/model.gguf": model,
    }, { commit });
    const hub = { hubUrl: server.url };
    await expectModel(await openModel("owner/name/q/m-00001-of-00002.gguf", hub, null), ["model.embed_tokens.weight", "model.norm.weight"]);
    await expectModel(await openModel("storyteller", { baseUrl: server.url }, new MemoryStore()));
    await expect(openModel("owner/name/other.gguf", hub, null)).rejects.toThrow("there is no file");
    await expect(openModel("owner/name/../other.gguf", hub, null)).rejects.toThrow("is no model");
    await expect(openModel("owner/name/other.gguf", {}, null)).rejects.toThrow("pass hubUrl");
  });
});
