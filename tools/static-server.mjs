// A small static file server for one folder, on this machine only: right MIME types, byte ranges, revalidation.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";

/** @type {Record<string, string>} */
const types = {
  ".bin": "application/octet-stream",
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".mp4": "video/mp4",
  ".png": "image/png",
  ".safetensors": "application/octet-stream",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".wav": "audio/wav",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".wgsl": "text/plain; charset=utf-8",
  ".woff2": "font/woff2",
};

/**
 * Serves `folder` at `/`, and each of `mounts` (prefix → folder) at its prefix.
 * @param {{ folder: string, port?: number, mounts?: Record<string, string>, headers?: Record<string, string>,
 *   onRequest?: (path: string) => void }} options port 0, the default, takes a free one; a taken port is an error
 * @returns {Promise<{ url: string, port: number, close(): Promise<void> }>} url ends in a slash
 */
export async function serve({ folder, port = 0, mounts = {}, headers = {}, onRequest = () => {} }) {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async function answer(request, response) {
    const path = decodePath(request.url ?? "/");
    onRequest(path ?? "");
    if (request.method !== "GET" && request.method !== "HEAD") return end(response, 405);
    const file = path === undefined ? undefined : await locate(path);
    if (!file) return end(response, 404);

    const etag = `"${file.size.toString(16)}-${Math.round(file.modified).toString(16)}"`;
    response.setHeader("Content-Type", types[extname(file.path).toLowerCase()] ?? "application/octet-stream");
    response.setHeader("Cache-Control", "no-cache"); // keep, but ask each time
    response.setHeader("ETag", etag);
    response.setHeader("Accept-Ranges", "bytes");
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (request.headers["if-none-match"] === etag) return end(response, 304);

    const range = parseRange(request.headers.range, file.size);
    if (range === "unsatisfiable") {
      response.setHeader("Content-Range", `bytes */${file.size}`);
      return end(response, 416);
    }
    const { start, end: last } = range ?? { start: 0, end: file.size - 1 };
    if (range) response.setHeader("Content-Range", `bytes ${start}-${last}/${file.size}`);
    response.setHeader("Content-Length", last - start + 1);
    response.writeHead(range ? 206 : 200);
    if (request.method === "HEAD" || file.size === 0) return void response.end();
    const stream = createReadStream(file.path, { start, end: last });
    stream.on("error", () => response.destroy());
    response.on("close", () => stream.destroy());
    stream.pipe(response);
  }

  /** @param {string} path */
  async function locate(path) {
    const prefix = Object.keys(mounts).find((name) => path.startsWith(name));
    const at = prefix === undefined ? join(folder, path) : join(/** @type {string} */ (mounts[prefix]), path.slice(prefix.length));
    for (const candidate of path.endsWith("/") ? [join(at, "index.html")] : [at]) {
      const found = await stat(candidate).catch(() => undefined);
      if (found?.isFile()) return { path: candidate, size: found.size, modified: found.mtimeMs };
    }
    return undefined;
  }

  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(undefined));
  });
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://localhost:${address.port}/`,
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** @param {import("node:http").ServerResponse} response @param {number} status */
function end(response, status) {
  response.writeHead(status);
  response.end();
}

/** Path of a request's URL, decoded; undefined where it would leave the folder or is no valid escape. @param {string} url */
function decodePath(url) {
  try {
    const path = decodeURIComponent(new URL(url, "http://localhost").pathname);
    const safe = normalize(path).split(sep).join("/");
    return safe.includes("\0") || safe.split("/").includes("..") ? undefined : safe;
  } catch {
    return undefined;
  }
}

/**
 * One byte range (RFC 9110): `bytes=first-last`, `bytes=first-`, `bytes=-suffix`. Several ranges are answered with the whole.
 * @param {string | undefined} header @param {number} size
 */
export function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const start = match[1] === "" ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const last = match[1] === "" || match[2] === "" ? size - 1 : Math.min(size - 1, Number(match[2]));
  return start > last || start >= size ? /** @type {const} */ ("unsatisfiable") : { start, end: last };
}
