// The site as a whole: its own requests only, its Content-Security-Policy, and the second visit without a server.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { check } from "../check.ts";

/** Fonts and pictures are compressed as they are. */
const packed = /\.(woff2|png|jpg|webp)$/;

check(
  "the first visit loads at most 150 kB, the offline copy included",
  async ({ page, site }) => {
    await page.goto(site.url);
    await page.evaluate(async () => void (await navigator.serviceWorker.ready));
    const prefix = new URL(site.url).pathname;
    const files = new Set(site.requests.map((path) => path.slice(prefix.length) || "index.html"));
    const sizes = [...files].filter((file) => !file.startsWith("models/")).map((file) => {
      const bytes = readFileSync(join("dist/site", file));
      return packed.test(file) ? bytes.byteLength : gzipSync(bytes).byteLength;
    });
    const kilobytes = sizes.reduce((sum, size) => sum + size, 0) / 1000;
    console.log(`   ${files.size} files, ${kilobytes.toFixed(1)} kB`);
    assert.ok(kilobytes <= 150);
  },
  { engines: ["chromium"] },
);

check("the page opens again without a server", async ({ page, site, strayHosts }) => {
  await page.goto(site.url);
  const title = await page.title();
  await page.evaluate(async () => void (await navigator.serviceWorker.ready));
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await site.stop();
  await page.reload();
  assert.equal(await page.title(), title);
  assert.deepEqual(strayHosts(), []);
});

check(
  "the page lets no inline script and no eval run",
  async ({ page, site }) => {
    await page.goto(site.url);
    const ran = await page.evaluate(async () => {
      const script = document.createElement("script");
      script.textContent = "document.title = 'inline'";
      document.head.append(script);
      return { inline: document.title === "inline", evaluated: await evaluates() };

      /** In a task of its own: the debugger's call may evaluate whatever the policy says. */
      function evaluates(): Promise<boolean> {
        return new Promise((resolve) => {
          setTimeout(() => {
            try {
              resolve(new Function("return true")() as boolean);
            } catch {
              resolve(false);
            }
          });
        });
      }
    });
    assert.deepEqual(ran, { inline: false, evaluated: false });
  },
  { allowedErrors: /Content[- ]Security[- ]Policy/i },
);
