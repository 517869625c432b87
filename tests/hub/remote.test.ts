// Models on a web server: read by ranges, kept, resumed, repaired, read without a network; with servers of all habits.
import { afterEach, describe, expect, test } from "vitest";
import { cachedSize, deleteCached, listCached } from "../../src/hub/cache.ts";
import { HubError } from "../../src/hub/errors.ts";
import type { ModelFolder } from "../../src/hub/folder.ts";
import { openModel, type OpenModelOptions } from "../../src/hub/open.ts";
import type { LoadProgress } from "../../src/hub/progress.ts";
import { MemoryStore } from "./memory-store.ts";
import { type Habits, serve, type TestServer } from "./server.ts";

const MiB = 2 ** 20;
const large = Uint8Array.from({ length: 16 * MiB + 5 }, (_, i) => (i * 2_654_435_761) >>> 24); // three pieces
const path = "unet/diffusion_pytorch_model.safetensors";
const indexText = '{"_class_name":"StableDiffusionPipeline"}'; // kept with the first visit, whatever else is read
const model: Record<string, string | Uint8Array> = {
  "models/emoji/model_index.json": indexText,
  "models/emoji/tokenizer/merges.txt": "яблоко",
  "models/emoji/empty.txt": "",
  [`models/emoji/${path}`]: large,
};

let server: TestServer;
afterEach(() => server.close());

async function start(habits: Habits = { etag: (file) => `"1-${file.length}"` }, files = model): Promise<void> {
  server = await serve(files, habits);
}

const openEmoji = (store: MemoryStore | null, options: OpenModelOptions = {}): Promise<ModelFolder> => openModel("emoji", { baseUrl: server.url, ...options }, store);

/** Reads across a border between pieces, and compares. */
async function expectContent(folder: ModelFolder): Promise<void> {
  const source = await folder.source(path);
  expect(source.size).toBe(large.length);
  for (const [start, end] of [[0, 8], [8 * MiB - 3, 8 * MiB + 3], [large.length - 9, large.length], [7, 7], [0, large.length]]) {
    expect(Buffer.from(await source.read(start, end)).equals(large.subarray(start, end)), `${start}…${end}`).toBe(true);
  }
  await expect(source.read(0, large.length + 1)).rejects.toBeInstanceOf(RangeError);
}

const servers: [string, Habits][] = [
  ["with tags", { etag: (file) => `"1-${file.length}"` }],
  ["without tags", {}],
  ["with an HTML page for all that is not there", { fallback: true }],
  ["without ranges", { ranges: false }],
  ["without HEAD", { headRefused: true }],
  ["without HEAD and ranges", { headRefused: true, ranges: false }],
  ["without lengths", { lengths: false, ranges: false }],
  ["without lengths but with ranges", { lengths: false }],
];
describe.each(servers)("a server %s", (_name, habits) => {
  test.each([true, false])("cache: %s", async (cache) => {
    await start(habits);
    const folder = await openEmoji(cache ? new MemoryStore() : null);
    expect(await folder.json("model_index.json")).toEqual({ _class_name: "StableDiffusionPipeline" });
    expect(await folder.text("tokenizer/merges.txt")).toBe("яблоко");
    expect(await folder.text("empty.txt")).toBe("");
    expect([await folder.json("nothing.json"), await folder.text("nothing.txt"), await folder.has("nothing"), await folder.has(path)]).toEqual([null, null, false, true]);
    await expectContent(folder);
    await expect(folder.source("nothing.safetensors")).rejects.toThrow("emoji: there is no file nothing.safetensors");
  });
});

describe("the cache", () => {
  test("a second visit needs no network, knows what is absent, and says what it lacks", async () => {
    await start();
    const store = new MemoryStore();
    const first = await openEmoji(store);
    await expectContent(first);
    await first.json("model_index.json");
    await first.has("tokenizer/tokenizer.json");
    await server.close();
    const second = await openEmoji(store);
    expect(second.revision).toBe(first.revision);
    await expectContent(second);
    expect(await second.json("tokenizer/tokenizer.json")).toBe(null);
    await expect(second.text("tokenizer/merges.txt")).rejects.toThrow("the cache does not hold tokenizer/merges.txt");
    await expect(openModel("other", { baseUrl: server.url }, store)).rejects.toBeInstanceOf(HubError);
  });

  test("a second visit with a network asks for headers only; a server in trouble counts as away", async () => {
    await start();
    const store = new MemoryStore();
    await expectContent(await openEmoji(store));
    server.take();
    await expectContent(await openEmoji(store));
    expect(server.take().every((request) => request.startsWith("HEAD"))).toBe(true);
    server.habits = { status: 503 };
    await expectContent(await openEmoji(store));
  });

  test("a broken download goes on from the pieces that are there", async () => {
    await start();
    const store = new MemoryStore();
    server.habits = { ...server.habits, ranges: false, breakAfter: 10 * MiB };
    await expect((await openEmoji(store)).source(path)).rejects.toThrow("the connection broke");
    expect(await listCached(store)).toMatchObject([{ files: 1, bytes: 8 * MiB + indexText.length }]);
    server.habits = { ...server.habits, ranges: true, breakAfter: undefined };
    const folder = await openEmoji(store);
    server.take();
    const progress: LoadProgress[] = [];
    await expectContent(await openEmoji(store, { onProgress: (report) => progress.push(report) }));
    expect(server.take().filter((request) => request.startsWith("GET"))).toEqual([
      `GET /models/emoji/${path} bytes=${8 * MiB}-${16 * MiB - 1}`, `GET /models/emoji/${path} bytes=${16 * MiB}-${16 * MiB + 4}`,
    ]);
    const downloads = progress.filter(({ status }) => status === "download");
    expect(downloads[0]).toMatchObject({ file: path, loaded: 8 * MiB, total: large.length });
    expect(downloads.at(-1)).toMatchObject({ loaded: large.length, total: large.length, secondsLeft: 0 });
    await expectContent(folder);
  });

  test.each(["missing", "altered", "cut"])("a piece that is %s does not count, and is fetched anew", async (damage) => {
    await start();
    const store = new MemoryStore();
    await expectContent(await openEmoji(store));
    const [key] = [...store.values.keys()].filter((name) => name.startsWith("piece") && name.includes("unet")).slice(1);
    if (damage === "missing") store.values.delete(key);
    else store.values.set(key, { ...(store.values.get(key) as object), bytes: new ArrayBuffer(damage === "cut" ? 5 : 8 * MiB) });
    if (damage === "missing") expect(await listCached(store)).toMatchObject([{ files: 1 }]); // the index
    server.take();
    await expectContent(await openEmoji(store));
    expect(server.take().filter((request) => request.startsWith("GET"))).toEqual([`GET /models/emoji/${path} bytes=${8 * MiB}-${16 * MiB - 1}`]);
    await server.close();
    await expectContent(await openEmoji(store));
  });

  test("an altered manifest is none", async () => {
    await start();
    const store = new MemoryStore();
    await expectContent(await openEmoji(store));
    for (const [key, value] of store.values) {
      if (key.startsWith("manifest") && key.includes("unet")) store.values.set(key, { ...(value as object), sha256: ["00"] });
    }
    server.take();
    await expectContent(await openEmoji(store));
    expect(server.take().filter((request) => request.startsWith("GET"))).toEqual([]); // the pieces are good
  });

  test("another version on the server replaces the old one", async () => {
    await start();
    const store = new MemoryStore();
    await expectContent(await openEmoji(store));
    server.habits = { etag: () => '"2"' };
    server.files.set(`models/emoji/${path}`, large.slice(0, 9));
    const source = await (await openEmoji(store)).source(path);
    expect(await source.read(0, 9)).toEqual(large.slice(0, 9));
    expect(await cachedSize(store)).toBe(indexText.length + 9);
  });

  test("a passing 404 does not throw the kept files away", async () => {
    await start();
    const store = new MemoryStore();
    await expectContent(await openEmoji(store));
    server.habits = { status: 404 };
    await expect(openEmoji(store)).rejects.toThrow("there is no model");
    await server.close();
    await expectContent(await openEmoji(store));
  });

  test("a store that fails to read counts as empty", async () => {
    await start();
    const store = new MemoryStore();
    await expectContent(await openEmoji(store));
    store.get = () => Promise.reject(new DOMException("broken", "UnknownError"));
    await expectContent(await openEmoji(store));
  });

  test("a file that changes while it is loaded is an error, not a mixture", async () => {
    await start();
    const folder = await openEmoji(null);
    const source = await folder.source(path);
    await source.read(0, 9);
    server.habits = { etag: () => '"2"' };
    await expect(source.read(9 * MiB, 9 * MiB + 1)).rejects.toThrow("changed on the server");
  });

  test("where it is full, a warning names the sizes and reading goes on", async () => {
    await start();
    const store = new MemoryStore(10 * MiB);
    const warnings: string[] = [];
    await expectContent(await openEmoji(store, { onWarning: (message) => warnings.push(message) }));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/emoji: unet\/.* downloaded again next time, since the browser's storage is too small: 8\.4 MB needed/);
    expect(await cachedSize(store)).toBe(indexText.length);
  });

  test("where it cannot be opened, a warning says so and reading goes on", async () => {
    await start();
    const store = new MemoryStore();
    store.keys = () => Promise.reject(new DOMException("not in private windows", "InvalidStateError"));
    const warnings: string[] = [];
    await expectContent(await openEmoji(store, { onWarning: (message) => warnings.push(message) }));
    expect(warnings).toEqual([expect.stringContaining("not in private windows")]);
  });

  test("lists, sizes and deletes models, unfinished ones included", async () => {
    await start(undefined, { ...model, "models/second/config.json": "{}" });
    const store = new MemoryStore();
    const folder = await openEmoji(store);
    await folder.json("model_index.json");
    await folder.source(path);
    await (await openModel("second", { baseUrl: server.url }, store)).json("config.json");
    expect(await listCached(store)).toEqual([
      { id: "emoji", url: `${server.url}models/emoji/`, files: 2, bytes: large.length + indexText.length },
      { id: "second", url: `${server.url}models/second/`, files: 1, bytes: 2 },
    ]);
    expect(await cachedSize(store)).toBe(large.length + indexText.length + 2);
    await deleteCached("emoji", store);
    expect((await listCached(store)).map(({ id }) => id)).toEqual(["second"]);
    await deleteCached(`${server.url}models/second/`, store);
    expect(store.values.size).toBe(0);
    await deleteCached("emoji", null);
  });
});

describe("abort", () => {
  test("stops within a piece, while downloading and while reading", async () => {
    await start();
    for (const cache of [new MemoryStore(), null]) {
      const abort = new AbortController();
      const folder = await openEmoji(cache, { signal: abort.signal });
      server.habits = { ...server.habits, stall: true };
      const reading = folder.source(path).then((source) => source.read(0, 9));
      setTimeout(() => abort.abort(new Error("enough")), 50);
      await expect(reading).rejects.toThrow("enough");
      server.habits = { ...server.habits, stall: false };
    }
  });

  test("a read's own signal stops it, and the next read works", async () => {
    await start();
    const source = await (await openEmoji(null)).source(path);
    server.habits = { ...server.habits, stall: true };
    await expect(source.read(0, 9, AbortSignal.timeout(50))).rejects.toThrow(/timeout/i);
    server.habits = { ...server.habits, stall: false };
    expect(await source.read(0, 9)).toEqual(large.slice(0, 9));
  });
});

describe("the Hub's layout", () => {
  const commit = "0123456789abcdef";
  const hub = {
    "owner/name/resolve/main/model_index.json": "{}", [`owner/name/resolve/${commit}/model_index.json`]: "{}",
    [`owner/name/resolve/${commit}/unet/config.json`]: '{"a":1}',
  };

  test("owner/name reads all files of one commit, and asks nothing of what is cached at that commit", async () => {
    await start({ commit }, hub);
    const store = new MemoryStore();
    const open = (): Promise<ModelFolder> => openModel("owner/name", { hubUrl: server.url }, store);
    const folder = await open();
    expect(folder.revision).toBe(commit);
    expect(await folder.json("unet/config.json")).toEqual({ a: 1 });
    expect(await folder.has("vae/config.json")).toBe(false);
    expect(server.take().filter((request) => request.includes("unet"))).toEqual([
      `HEAD /owner/name/resolve/${commit}/unet/config.json bytes=0-`, `GET /owner/name/resolve/${commit}/unet/config.json bytes=0-6`,
    ]);
    const again = await open();
    expect(await again.json("unet/config.json")).toEqual({ a: 1 });
    expect(await again.has("vae/config.json")).toBe(false);
    expect(server.take()).toEqual(["HEAD /owner/name/resolve/main/model_index.json bytes=0-"]);
  });

  test("a new commit with the same file (by its tag) downloads nothing", async () => {
    await start({ commit, etag: (file) => `"${file.slice(file.lastIndexOf("/"))}"` }, hub);
    const store = new MemoryStore();
    await (await openModel("owner/name", { hubUrl: server.url }, store)).json("unet/config.json");
    const next = "fedcba9876543210";
    server.files.set(`owner/name/resolve/${next}/unet/config.json`, new TextEncoder().encode('{"a":1}'));
    server.habits = { ...server.habits, commit: next };
    server.take();
    expect(await (await openModel("owner/name", { hubUrl: server.url }, store)).json("unet/config.json")).toEqual({ a: 1 });
    expect(server.take().filter((request) => request.startsWith("GET"))).toEqual([]);
  });

  test("refused access names the way out", async () => {
    await start({ status: 401 }, hub);
    await expect(openModel("owner/name", { hubUrl: server.url }, null)).rejects.toThrow(/refuses access \(401\).*Download/);
  });
});

test("no model at an address, and addresses that are none, are errors that say so", async () => {
  await start();
  await expect(openModel(`${server.url}models/`, {}, null)).rejects.toThrow("neither model_index.json nor config.json");
  await expect(openModel("owner/name", {}, null)).rejects.toThrow("pass hubUrl");
  await expect(openModel("../secret", { baseUrl: server.url }, null)).rejects.toThrow("is no model");
  await expect(openModel("emoji", {}, null)).rejects.toThrow("pass baseUrl");
  await expect(openModel([], {}, null)).rejects.toThrow("no files were selected");
  await expect(openModel("emoji", { baseUrl: "http://127.0.0.1:9/" }, null)).rejects.toThrow("cannot be reached");
  const folder = await openEmoji(null);
  for (const climbing of ["../model_index.json", "/etc/passwd", "a/../../b", "a\\b", "a//b", "", "%2e%2e/a", "a?b", "http://x/y"]) {
    await expect(folder.text(climbing), climbing).rejects.toThrow("is refused");
  }
});
