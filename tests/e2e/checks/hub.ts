// The cache of model files in the browsers' own IndexedDB.
import assert from "node:assert/strict";
import { check } from "../check.ts";
import type { HubReport } from "../pages/hub-worker.ts";

check("model files are kept in IndexedDB, read offline, repaired and deleted", async ({ page, site }) => {
  await page.goto(`${site.pages}hub.html`);
  await page.waitForFunction(() => document.querySelector("pre")?.textContent !== "waiting");
  const report = JSON.parse(await page.$eval("pre", (element) => element.textContent ?? "")) as HubReport;
  assert.equal(report.error, undefined);
  assert.deepEqual(report.equal, [true, true, true]);
  assert.deepEqual(report.downloads, [4, 0, 1]); // the index and three pieces; nothing; the damaged piece
  assert.equal(report.listed, "test: 2 files, 20971527 bytes");
  assert.equal(report.lastProgress?.loaded, report.lastProgress?.total);
  assert.deepEqual(report.left, [0, 0]);
  assert.match(report.offlineError ?? "", /cannot be reached .*the cache does not hold/);
});
