// Finding elements behind shadow roots. Puppeteer's own waiting watches for mutations, which it does not see there.
import { setTimeout as sleep } from "node:timers/promises";
import type { ElementHandle, Page } from "puppeteer-core";

/** Waits for the element at the end of a path of selectors, each below the last one's shadow root. Throws after `timeout` ms. */
export async function find(page: Page, ...path: string[]): Promise<ElementHandle<HTMLElement>> {
  const timeout = 30_000;
  for (const end = performance.now() + timeout; performance.now() < end; await sleep(50)) {
    const found = await page.$(path.map((part) => `>>> ${part}`).join(" "));
    if (found !== null) return found as ElementHandle<HTMLElement>;
  }
  throw new Error(`there is no ${path.join(" → ")}`);
}

export async function click(page: Page, ...path: string[]): Promise<void> {
  await (await find(page, ...path)).evaluate((element) => element.click());
}

/** Its text, with single spaces. */
export async function text(page: Page, ...path: string[]): Promise<string> {
  return (await find(page, ...path)).evaluate((element) => (element.textContent ?? "").replace(/\s+/g, " ").trim());
}

/** Waits for an element's text. Throws telling what it was instead. */
export async function expectText(page: Page, wanted: string, ...path: string[]): Promise<void> {
  let found = "";
  for (const end = performance.now() + 10_000; performance.now() < end; await sleep(50)) {
    found = await text(page, ...path);
    if (found === wanted) return;
  }
  throw new Error(`${path.join(" → ")}: "${wanted}" expected, got "${found}"`);
}

/** Ctrl+Enter. */
export async function pressGenerate(page: Page): Promise<void> {
  await page.keyboard.down("Control");
  await page.keyboard.press("Enter");
  await page.keyboard.up("Control");
}
