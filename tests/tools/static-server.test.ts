// The static server: MIME types, byte ranges, revalidation, and no way out of its folder.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseRange, serve } from "../../tools/static-server.mjs";

let folder: string;
let server: Awaited<ReturnType<typeof serve>>;
const paths: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kiln-static-"));
  mkdirSync(join(folder, "site/models"), { recursive: true });
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(folder, "site/index.html"), "<!doctype html>");
  writeFileSync(join(folder, "site/empty.bin"), "");
  writeFileSync(join(folder, "site/models/unet.safetensors"), "0123456789");
  server = await serve({ folder: join(folder, "site"), onRequest: (path) => paths.push(path) });
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

test("a folder's page, with its type", async () => {
  const response = await fetch(server.url);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(await response.text()).toBe("<!doctype html>");
  expect(paths).toContain("/");
});

test("whole files, byte ranges and ranges past the end", async () => {
  const url = `${server.url}models/unet.safetensors`;
  const range = async (bytes: string) => {
    const response = await fetch(url, { headers: { Range: bytes } });
    return [response.status, response.headers.get("content-range"), await response.text()];
  };
  expect(await (await fetch(url)).text()).toBe("0123456789");
  expect(await range("bytes=2-4")).toEqual([206, "bytes 2-4/10", "234"]);
  expect(await range("bytes=7-")).toEqual([206, "bytes 7-9/10", "789"]);
  expect(await range("bytes=-3")).toEqual([206, "bytes 7-9/10", "789"]);
  expect(await range("bytes=10-12")).toEqual([416, "bytes */10", ""]);
});

test("an unchanged file is not sent again", async () => {
  const first = await fetch(server.url);
  const etag = first.headers.get("etag") ?? "";
  expect(etag).toMatch(/^".+"$/);
  expect((await fetch(server.url, { headers: { "If-None-Match": etag } })).status).toBe(304);
});

test("empty files, HEAD, other methods, missing files", async () => {
  expect(await (await fetch(`${server.url}empty.bin`)).text()).toBe("");
  const head = await fetch(`${server.url}models/unet.safetensors`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "10", ""]);
  expect((await fetch(server.url, { method: "POST" })).status).toBe(405);
  expect((await fetch(`${server.url}missing.json`)).status).toBe(404);
  expect((await fetch(`${server.url}models`)).status).toBe(404);
});

test("no path leads out of the folder", async () => {
  for (const path of ["/../secret.txt", "/%2e%2e/secret.txt", "/models/..%2f..%2fsecret.txt", "/%zz", "/%00"]) {
    const status = await new Promise((resolve, reject) => {
      request({ port: server.port, host: "127.0.0.1", path }, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(status, path).toBe(404);
  }
});

test("range headers that are none, or several, mean the whole", () => {
  for (const header of [undefined, "bytes=-", "bytes=0-1,4-5", "items=0-1", "bytes=a-b"]) expect(parseRange(header, 10)).toBeUndefined();
  expect(parseRange("bytes=0-99", 10)).toEqual({ start: 0, end: 9 });
  expect(parseRange("bytes=-99", 10)).toEqual({ start: 0, end: 9 });
  expect(parseRange("bytes=-0", 10)).toBe("unsatisfiable");
  expect(parseRange("bytes=5-4", 10)).toBe("unsatisfiable");
});
