// What every other check builds on: WebGPU in a dedicated worker, and our engine on it.
import assert from "node:assert/strict";
import type { Page } from "puppeteer-core";
import { check } from "../check.ts";
import type { EngineReport } from "../pages/engine-worker.ts";
import type { WebGpuReport } from "../pages/webgpu-worker.ts";

check("WebGPU computes in a dedicated worker", async ({ page, site, strayHosts }) => {
  const report = await open<WebGpuReport>(page, `${site.pages}webgpu.html`);
  assert.equal(report.error, undefined);
  assert.ok((report.limits?.maxStorageBufferBindingSize ?? 0) >= 128 * 2 ** 20);
  assert.deepEqual(strayHosts(), []);
});

check("the engine computes in a dedicated worker, and leaves no memory behind", async ({ page, site }) => {
  const report = await open<EngineReport>(page, `${site.pages}engine.html`);
  assert.equal(report.error, undefined);
  console.log(`   ${report.adapter}: ${report.features?.join(", ")}; difference ${JSON.stringify(report.difference)}`);
  assert.ok((report.difference?.f32 ?? 1) < 1e-6);
  assert.ok((report.difference?.f16 ?? 0) < 5e-3);
  assert.equal(report.live, 0);
});

/** Opens one of the tests' pages and waits for its worker's report. */
async function open<Report>(page: Page, url: string): Promise<Report> {
  await page.goto(url);
  await page.waitForFunction(() => document.querySelector("pre")?.textContent !== "waiting");
  return JSON.parse(await page.$eval("pre", (element) => element.textContent ?? "")) as Report;
}
