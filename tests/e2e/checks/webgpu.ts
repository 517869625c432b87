// What every other check builds on: an adapter and a device in a dedicated worker, and kernels that compute.
import assert from "node:assert/strict";
import { check } from "../check.ts";

interface Report {
  readonly ok?: true;
  readonly error?: string;
  readonly info?: Record<string, string | number>;
  readonly features?: string[];
  readonly limits?: Record<string, number>;
}

check("WebGPU computes in a dedicated worker", async ({ page, site, strayHosts }) => {
  await page.goto(`${site.url}tests/webgpu.html`);
  await page.waitForFunction(() => document.querySelector("pre")?.textContent !== "waiting");
  const report = JSON.parse(await page.$eval("pre", (element) => element.textContent ?? "")) as Report;
  assert.equal(report.error, undefined);
  assert.equal(report.ok, true);
  const optional = ["shader-f16", "subgroups", "timestamp-query"].filter((name) => report.features?.includes(name));
  console.log(`   adapter ${report.info?.architecture || "unnamed"}, ${optional.join(", ")}`);
  assert.ok((report.limits?.maxStorageBufferBindingSize ?? 0) >= 128 << 20);
  assert.deepEqual(strayHosts(), []);
});
