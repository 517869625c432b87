// The cache in a browser's IndexedDB: a download, a visit without a network, a damaged piece, deletion. The server is a
// function in place of fetch, so that the network can be away.
import { cachedSize, deleteCached, indexedDbStore, listCached } from "../../../src/hub/cache.ts";
import { openModel } from "../../../src/hub/open.ts";
import type { LoadProgress } from "../../../src/hub/progress.ts";

/** What the check reads: `error`, or all the others. */
export interface HubReport {
  readonly error?: string;
  /** Whether the file was read as it is: at first, without a network, and after a piece was damaged. */
  readonly equal?: boolean[];
  /** Requests for content in these three visits. */
  readonly downloads?: number[];
  readonly listed?: string;
  readonly lastProgress?: LoadProgress;
  /** Bytes and keys that deleting leaves. */
  readonly left?: [bytes: number, keys: number];
  readonly offlineError?: string;
}

const content = Uint8Array.from({ length: 20 * 2 ** 20 + 5 }, (_, i) => (i * 2_654_435_761) >>> 24); // three pieces
const files = new Map([["model_index.json", new TextEncoder().encode("{}")], ["unet/model.safetensors", content]]);
let online = true;
let downloads = 0;

self.fetch = async (input, init) => {
  if (!online) throw new TypeError("no network");
  const path = new URL(String(input)).pathname.replace(/^\/models\/test\//, "");
  const file = files.get(path);
  if (file === undefined) return new Response(null, { status: 404 });
  const range = /^bytes=(\d+)-(\d*)$/.exec(new Headers(init?.headers).get("Range") ?? "");
  const start = Number(range?.[1] ?? 0);
  const end = range?.[2] ? Math.min(file.length, Number(range[2]) + 1) : file.length;
  const headers = { ETag: '"1"', "Content-Length": String(end - start), "Content-Range": `bytes ${start}-${end - 1}/${file.length}` };
  if (init?.method === "HEAD") return new Response(null, { status: 206, headers });
  downloads++;
  return new Response(file.slice(start, end), { status: 206, headers });
};

/** Reads the file through the cache and compares it; returns also how often content was asked for. */
async function visit(onProgress?: (progress: LoadProgress) => void): Promise<[equal: boolean, downloads: number]> {
  downloads = 0;
  const folder = await openModel("test", { baseUrl: self.location.origin, onProgress });
  const source = await folder.source("unet/model.safetensors");
  const bytes = await source.read(0, source.size);
  return [bytes.length === content.length && bytes.every((byte, i) => byte === content[i]), downloads];
}

async function probe(): Promise<HubReport> {
  const store = indexedDbStore();
  if (store === null) throw new Error("there is no IndexedDB");
  let lastProgress: LoadProgress | undefined;
  const first = await visit((progress) => { if (progress.status === "download") lastProgress = progress; });
  const listed = (await listCached()).map(({ id, files: count, bytes }) => `${id}: ${count} files, ${bytes} bytes`).join("; ");
  online = false;
  const second = await visit();
  online = true;
  const [piece] = (await store.keys()).filter((key) => key.startsWith("piece") && key.includes("unet"));
  await store.set(piece, { bytes: new ArrayBuffer(8 * 2 ** 20), sha256: "wrong" });
  const third = await visit();
  await deleteCached("test");
  online = false;
  const offlineError = await visit().then(() => "", String);
  return {
    equal: [first[0], second[0], third[0]], downloads: [first[1], second[1], third[1]],
    listed, lastProgress, left: [await cachedSize(), (await store.keys()).length], offlineError,
  };
}

probe().then(postMessage, (error: unknown) => postMessage({ error: String(error) }));
