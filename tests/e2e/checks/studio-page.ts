// The studio's own behaviour, on a scripted pipeline: what it keeps, hands out, recognises, says and fits into.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ElementHandle, Page } from "puppeteer-core";
import { encodePng } from "../../../src/formats/png.ts";
import { inspect, type Inspection } from "../../../src/provenance/inspect.ts";
import { check, type Context } from "../check.ts";
import { click, expectText, find, pressGenerate, text } from "../deep.ts";

const open = (page: Page, { pages }: Context["site"], query = "") => page.goto(`${pages}studio.html${query}`);

/** Types a prompt, starts by keyboard, and waits for the picture to be in the gallery. */
async function make(page: Page, prompt: string): Promise<void> {
  await (await find(page, "#prompt")).type(prompt);
  await pressGenerate(page);
  await find(page, "kiln-gallery", "li img");
}

/** The bytes that a click would have saved. */
async function download(page: Page, ...path: string[]): Promise<{ name: string; inspection: Inspection }> {
  await page.evaluate(() => {
    HTMLAnchorElement.prototype.click = function () {
      document.body.dataset.name = this.download;
      document.body.dataset.href = this.href;
    };
  });
  await click(page, ...path);
  const { name, bytes } = await page.evaluate(async () => {
    const { name = "", href = "" } = document.body.dataset;
    return { name, bytes: [...new Uint8Array(await (await fetch(href)).arrayBuffer())] };
  });
  return { name, inspection: await inspect(new Blob([Uint8Array.from(bytes)])) };
}

check("words, settings and pictures are there again after a reload", async ({ page, site }) => {
  await open(page, site);
  await click(page, "kiln-prompt", ".style:nth-of-type(2)");
  await make(page, "красное яблоко");
  await page.reload();
  const area = await find(page, "#prompt");
  assert.equal(await area.evaluate((element) => (element as HTMLTextAreaElement).value), "красное яблоко");
  assert.equal(await page.$$eval(">>> .style input", (inputs) => inputs.findIndex((input) => (input as HTMLInputElement).checked)), 1);
  await expectText(page, "Gallery 1 picture", "kiln-gallery", "h2");
});

check("a picture's file holds its recipe, or on request only the mark that a model made it", async ({ page, site }) => {
  await open(page, site);
  await make(page, "red apple");
  await click(page, "kiln-gallery", "li button");
  const whole = await download(page, "kiln-picture", ".primary");
  assert.equal(whole.inspection.recipe?.prompt, "red apple");
  assert.match(whole.name, /^red-apple-\d+\.png$/);
  await click(page, "kiln-about", ".keep input");
  const bare = await download(page, "kiln-picture", ".primary");
  assert.deepEqual(bare.inspection, { ...whole.inspection, recipe: null });
  assert.equal(bare.inspection.madeByKiln, true);
});

check("a picture that is deleted is gone for good", async ({ page, site }) => {
  await open(page, site);
  await make(page, "red apple");
  await click(page, "kiln-gallery", "li button");
  await click(page, "kiln-picture", ".danger");
  await find(page, "kiln-gallery", ".empty");
  await page.reload();
  await find(page, "kiln-gallery", ".empty");
});

check("a picture that is handed in is recognised, and its settings can be used", async ({ page, site }) => {
  await open(page, site);
  await make(page, "red apple");
  const png = await page.evaluate(() => [...(document.querySelector("kiln-studio")?.shadowRoot?.querySelector("kiln-gallery")?.pictures[0].png ?? [])]);
  const folder = mkdtempSync(join(tmpdir(), "kiln-e2e-"));
  try {
    const [own, foreign] = ["own.png", "foreign.png"].map((name) => join(folder, name));
    writeFileSync(own, Uint8Array.from(png));
    writeFileSync(foreign, await encodePng({ width: 1, height: 1, data: new Uint8Array(4) }));
    const input = (await find(page, "kiln-gallery", "input[type=file]")) as ElementHandle<HTMLInputElement>;

    await input.uploadFile(foreign);
    await expectText(page, "This file does not say who made it", "kiln-origin", "h2");
    await click(page, "kiln-origin", ".close");

    await input.uploadFile(own);
    await expectText(page, "Made here, in this browser", "kiln-origin", "h2");
    await click(page, "kiln-origin", ".primary");
    const seed = await (await find(page, "kiln-seed", "#seed")).evaluate((element) => (element as HTMLInputElement).value);
    assert.match(seed, /^\d+$/);
    assert.equal(await (await find(page, "kiln-seed", ".fixed input")).evaluate((element) => (element as HTMLInputElement).checked), true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

check("Escape cancels, and an error is told in words with the way out", async ({ page, site }) => {
  await open(page, site, "?step=5000");
  await (await find(page, "#prompt")).type("house");
  await pressGenerate(page);
  await find(page, "kiln-arch", '[role="progressbar"]');
  await page.keyboard.press("Escape");
  await find(page, "kiln-stage", ".examples");

  await open(page, site, "?state=failed");
  await find(page, "#prompt"); // the words are still there
  await pressGenerate(page);
  const alert = await text(page, "kiln-stage", '[role="alert"]');
  assert.match(alert, /Graphics memory is full GPU memory is used up: .* Close other tabs/);
});

check("another model is asked for only by its full name", async ({ page, site }) => {
  await open(page, site);
  await click(page, "kiln-header", ".model");
  const address = await find(page, "kiln-model-panel", "#address");
  await address.type("http://example.org/model");
  await page.keyboard.press("Enter");
  await expectText(page, "Only https: addresses can be asked from a page", "kiln-model-panel", ".wrong");
  await address.evaluate((element) => ((element as HTMLInputElement).value = ""));
  await address.type("owner/name");
  await page.keyboard.press("Enter");
  await make(page, "red apple");
  assert.deepEqual(await page.evaluate(() => window.loads), ['{"place":"owner/name","hubUrl":"https://huggingface.co"}']);
});

check("light and dark follow the button, and stay", async ({ page, site }) => {
  await open(page, site);
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const before = await ground();
  await click(page, "kiln-header", ".icon-button");
  const after = await ground();
  assert.notEqual(after, before);
  await page.reload();
  assert.equal(await ground(), after);
});

check("every state fits a narrow phone, and every control has a name", async ({ page, site }) => {
  await page.setViewport({ width: 320, height: 640 });
  for (const query of ["", "?state=failed", "?state=unsupported", "?load=60000"]) {
    await open(page, site, query);
    if (!query.includes("unsupported")) {
      await (await find(page, "#prompt")).evaluate((element) => element.dispatchEvent(new CustomEvent("kiln-change", { detail: { prompt: "red apple" }, bubbles: true, composed: true })));
      await pressGenerate(page);
    }
    await find(page, "kiln-about");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 320, `${query}: ${wide} pixels wide`);
    const nameless = await page.$$eval(">>> button, >>> input, >>> select, >>> textarea", (controls) =>
      controls.filter((control) => {
        const { labels } = control as HTMLInputElement;
        return !control.textContent?.trim() && !control.getAttribute("aria-label") && !labels?.length;
      }).map((control) => control.outerHTML));
    assert.deepEqual(nameless, []);
  }
});
