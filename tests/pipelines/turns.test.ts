// Turns come in order, and one that was given up holds nobody back.
import { expect, test } from "vitest";
import { orAborted, Turns } from "../../src/pipelines/turns.ts";

test("one after another, in the order of asking", async () => {
  const turns = new Turns();
  const log: string[] = [];
  const work = async (name: string) => {
    const done = await turns.take();
    log.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    log.push(`${name} ends`);
    done();
  };
  await Promise.all(["a", "b", "c"].map(work));
  expect(log).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});

test("an aborted wait lets the next one through, in its order", async () => {
  const turns = new Turns();
  const first = await turns.take();
  const stop = new AbortController();
  const second = turns.take(stop.signal);
  let third = false;
  const waiting = turns.take().then(() => (third = true));
  stop.abort();
  await expect(second).rejects.toMatchObject({ name: "AbortError" });
  await new Promise((resolve) => setTimeout(resolve));
  expect(third).toBe(false);
  first();
  await waiting;
  expect(third).toBe(true);
});

test("a promise is left alone as soon as the signal says so", async () => {
  const stop = new AbortController();
  const pending = orAborted(new Promise(() => {}), stop.signal);
  stop.abort(new Error("enough"));
  await expect(pending).rejects.toThrow("enough");
  expect(await orAborted(Promise.resolve(1), new AbortController().signal)).toBe(1);
});
