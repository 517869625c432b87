// The site as a whole: its own requests only, its Content-Security-Policy, and the second visit without a server.
import assert from "node:assert/strict";
import { check } from "../check.ts";

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
