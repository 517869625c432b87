// The studio in a real browser with the model that ships: a picture, again without a network, cancelled, and the page without WebGPU.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, type Page } from "puppeteer-core";
import { decodePng } from "../../../src/formats/png.ts";
import type { Recipe } from "../../../src/pipelines/types.ts";
import { inspect } from "../../../src/provenance/inspect.ts";
import { trainedAlgorithmicMedia } from "../../../src/provenance/xmp.ts";
import type {} from "../../../src/studio/element.ts";
import type {} from "../../../src/studio/gallery.ts";
import type { Settings } from "../../../src/studio/settings.ts";
import type {} from "../../../src/studio/stage.ts";
import { chromiumPath } from "../../../tools/environment.mjs";
import { check } from "../check.ts";
import { find, pressGenerate, text } from "../deep.ts";

/** Chromium computes on the CPU at 0.6 GFLOP/s, beside whatever else runs. */
const patience = 600_000;

/** Two steps without guidance are the least that runs every kernel. */
const settings: Partial<Settings> = { seedMode: "fixed", seed: "7", steps: 2, guidance: 1 };

check(
  "the studio makes a picture, keeps it, and makes it again without a network",
  async ({ page, site, engine, strayHosts, screenshot }) => {
    await page.setViewport({ width: 1440, height: 900 });
    await openStudio(page, site.url, settings);
    await type(page, "red apple");
    const first = await pictureOf(page);
    await screenshot("studio");
    await checkMarks(page, first.recipe);
    if (engine === "firefox") await compareWithNode(first);

    await page.evaluate(async () => void (await navigator.serviceWorker.ready));
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await site.stop();
    await page.reload();
    await find(page, "kiln-gallery", "li img");
    await (await find(page, "#prompt")).focus(); // the words are still there
    await pressGenerate(page);
    const second = await pictureOf(page);
    assert.deepEqual(second.recipe, first.recipe);
    assert.ok(farthest(second.data, first.data) === 0, "the same seed gave another picture");
    assert.deepEqual(strayHosts(), []);
  },
  { timeout: patience },
);

check(
  "a generation that is cancelled ends, and another one can begin",
  async ({ page, site }) => {
    await openStudio(page, site.url, { ...settings, steps: 50 });
    await type(page, "house");
    await page.waitForFunction(() => document.querySelector("kiln-studio")?.shadowRoot?.querySelector("kiln-stage")?.activity.phase === "generating", { timeout: patience });
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.querySelector("kiln-studio")?.shadowRoot?.querySelector("kiln-stage")?.activity.phase === "idle", { timeout: patience });
    await find(page, ".go.primary");
  },
  { timeout: patience },
);

check(
  "the embeddable element computes in a strict page, its worker inside",
  async ({ page, site, strayHosts }) => {
    await page.goto(`${site.pages}webgpu.html`);
    await page.addScriptTag({ url: site.element, type: "module" });
    const outcome = await page.evaluate(async (baseUrl) => {
      await customElements.whenDefined("kiln-text-to-image");
      const kiln = document.createElement("kiln-text-to-image");
      Object.assign(kiln, { baseUrl, prompt: "red apple", seed: "7", steps: 1, guidance: 1 });
      const phases: string[] = [];
      kiln.addEventListener("kiln-activity", () => {
        if (phases.at(-1) !== kiln.activity.phase) phases.push(kiln.activity.phase);
        if (kiln.activity.phase === "generating") kiln.cancel();
      });
      document.body.append(kiln);
      const result = await kiln.generate();
      await kiln.updateComplete;
      const { activity } = kiln;
      return { phases, result: result === null, problem: activity.phase === "failed" ? activity.problem.detail : "" };
    }, site.url);
    assert.deepEqual(outcome, { phases: ["loading", "generating", "idle"], result: true, problem: "" });
    assert.deepEqual(strayHosts(), []);
  },
  { timeout: patience },
);

check(
  "without WebGPU the page says which browsers have it and how to switch it on",
  async ({ site }) => {
    const browser = await launch({ executablePath: chromiumPath(), args: [...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), "--disable-gpu", "--disable-features=WebGPU,WebGPUService"] });
    try {
      const page = await browser.newPage();
      await page.goto(site.url);
      const words = await text(page, "kiln-unsupported", ".page");
      for (const name of ["Chrome", "Firefox", "Safari", "chrome://flags"]) assert.ok(words.includes(name), `no word of ${name} in: ${words}`);
    } finally {
      await browser.close();
    }
  },
  { engines: ["chromium"] },
);

/** Opens the page as a visitor who has made these settings before. */
async function openStudio(page: Page, url: string, chosen: Partial<Settings>): Promise<void> {
  await page.goto(url);
  await page.evaluate(async () => void (await navigator.serviceWorker.ready)); // a page that reloads meanwhile may be left unclaimed
  await page.evaluate((json) => localStorage.setItem("kiln.settings", json), JSON.stringify(chosen));
  await page.reload();
}

/** Types a prompt and starts with the keyboard. */
async function type(page: Page, prompt: string): Promise<void> {
  await (await find(page, "#prompt")).type(prompt);
  await pressGenerate(page);
}

interface Shown {
  readonly recipe: Recipe;
  readonly data: readonly number[];
}

/** Waits for the picture on the stage. Throws what the page says went wrong. */
async function pictureOf(page: Page): Promise<Shown> {
  await page.waitForFunction(() => ["done", "failed"].includes(document.querySelector("kiln-studio")?.shadowRoot?.querySelector("kiln-stage")?.activity.phase ?? ""), { timeout: patience });
  const shown = await page.evaluate(() => {
    const activity = document.querySelector("kiln-studio")?.shadowRoot?.querySelector("kiln-stage")?.activity;
    if (activity?.phase !== "done") return activity?.phase === "failed" ? `${activity.problem.title}: ${activity.problem.detail}` : "nothing is on the stage";
    const [{ recipe, data }] = activity.images;
    return { recipe, data: [...data] };
  });
  if (typeof shown === "string") throw new Error(shown);
  return shown;
}

/** The gallery's file holds recipe and mark. */
async function checkMarks(page: Page, recipe: Recipe): Promise<void> {
  await find(page, "kiln-gallery", "li img");
  const png = await page.evaluate(() => [...(document.querySelector("kiln-studio")?.shadowRoot?.querySelector("kiln-gallery")?.pictures[0].png ?? [])]);
  const found = await inspect(new Blob([Uint8Array.from(png)]));
  assert.deepEqual(found, { madeByKiln: true, recipe, digitalSourceType: trainedAlgorithmicMedia });
}

/** Node makes the same picture, to 2 of 255: the adapter is the same, the compiler of the shaders is not. */
async function compareWithNode({ recipe, data }: Shown): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kiln-e2e-"));
  try {
    const out = join(folder, "node.png");
    const { prompt, seed, numInferenceSteps, guidanceScale, dtype } = recipe;
    const flags = { prompt, seed, steps: numInferenceSteps, guidance: guidanceScale, dtype, out };
    execFileSync(process.execPath, ["tools/kiln.mjs", "text-to-image", ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)])], { stdio: ["ignore", "ignore", "pipe"] });
    const node = await decodePng(readFileSync(out));
    const rgb = data.filter((_, i) => node.channels === 4 || i % 4 !== 3);
    const distance = farthest(rgb, node.data);
    console.log(`   farthest from Node's picture: ${distance} of 255`);
    assert.ok(distance <= 2);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
}
