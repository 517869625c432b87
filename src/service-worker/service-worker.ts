// Keeps the page's own files for offline visits. Models are never kept here: src/hub stores them in IndexedDB.
export {};

declare const self: ServiceWorkerGlobalScope;
/** Paths of the page's files, relative to this one; "./" is the page itself. Put here by the build. */
declare const pageFiles: readonly string[];
/** Those of them that pictures need; the page does not ask for the others yet. */
declare const firstFiles: readonly string[];
/** Changes when any of them does, and so does this file, which is how a browser notices. Put here by the build. */
declare const pageVersion: string;

const prefix = `kiln-page ${self.registration.scope} `;
const cacheName = prefix + pageVersion;
const addressOf = (file: string) => new URL(file, self.location.href).href;
const kept = new Set(pageFiles.map(addressOf));

// A new version waits until no tab uses the old one, so a page never mixes the files of two builds.
self.addEventListener("install", (event) => event.waitUntil(store(firstFiles.map(addressOf))));

self.addEventListener("activate", (event) => event.waitUntil(dropOldVersions().then(() => self.clients.claim())));

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  url.search = "";
  url.hash = "";
  if (event.request.method === "GET" && kept.has(url.href)) event.respondWith(answer(url.href, event.request));
});

async function store(urls: readonly string[]): Promise<void> {
  const cache = await caches.open(cacheName);
  // "reload" goes past the HTTP cache, which may still hold the old build's files of the same names.
  await cache.addAll(urls.map((url) => new Request(url, { cache: "reload" })));
}

async function answer(url: string, request: Request): Promise<Response> {
  const cache = await caches.open(cacheName);
  return (await cache.match(url)) ?? fetch(request);
}

async function dropOldVersions(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(prefix) && name !== cacheName);
  await Promise.all(old.map((name) => caches.delete(name)));
}
