// A session's life: what it shows when, and that nothing is left behind.
import type { ReactiveController, ReactiveControllerHost } from "lit";
import { expect, test, vi } from "vitest";
import { GpuError } from "../../src/gpu/errors.ts";
import { HubError } from "../../src/hub/errors.ts";
import { Session, type Activity, type Job } from "../../src/studio/session.ts";
import { WorkerError } from "../../src/worker/errors.ts";
import { fakeLoader, fakeModel, type FakeScript } from "../fake-pipeline.ts";

/** An element without a page. */
class Host implements ReactiveControllerHost {
  readonly seen: Activity[] = [];
  session: Session | null = null;
  updateComplete = Promise.resolve(true);

  #first: Activity | undefined;

  addController(controller: ReactiveController): void {
    if (!(controller instanceof Session)) return;
    this.session = controller;
    this.#first = controller.activity;
  }
  removeController(): void {}
  requestUpdate(): void {
    const { session, seen } = this;
    if (session !== null && session.activity !== (seen.at(-1) ?? this.#first)) seen.push(session.activity);
  }
}

function start(script: FakeScript = {}) {
  const { load, log } = fakeLoader(script);
  const host = new Host();
  const session = new Session(host, (place, options) => load(place, options));
  return { host, session, log };
}

const job = (changed: Partial<Job> = {}): Job => ({ place: "emoji", pipelineOptions: {}, prompt: "red apple", options: { numInferenceSteps: 3, previewEvery: 1 }, ...changed });
const phases = (host: Host) => host.seen.map(({ phase }) => phase).filter((phase, i, all) => phase !== all[i - 1]);

test("the first run loads, makes, shows", async () => {
  const { host, session } = start();
  const result = await session.run(job());
  expect(phases(host)).toEqual(["loading", "generating", "done"]);
  expect(result?.images).toHaveLength(1);
  expect(session.model).toEqual(fakeModel);
  expect(session.busy).toBe(false);
});

test("the second run of the same model does not load again; another model does, and frees the first", async () => {
  const { session, log } = start();
  await session.run(job());
  await session.run(job());
  expect(log.loads).toBe(1);
  await session.run(job({ place: "other" }));
  expect([log.loads, log.disposed]).toEqual([2, 1]);
});

test("a preview stays until the next one comes", async () => {
  const { host, session } = start();
  await session.run(job({ options: { numInferenceSteps: 4, previewEvery: 2 } }));
  const shown = host.seen.flatMap((activity) => (activity.phase === "generating" ? [activity.previews.length] : []));
  expect(shown).toEqual([0, 0, 1, 1, 1]);
});

test("cancelling leads back to where one can begin", async () => {
  const { host, session, log } = start({ stepMs: 10_000 });
  const running = session.run(job());
  await vi.waitUntil(() => session.activity.phase === "generating");
  await new Promise((resolve) => setTimeout(resolve, 20)); // into the step
  session.cancel();
  expect(await running).toBeNull();
  expect(session.activity.phase).toBe("idle");
  expect(log.ended).toBe(1);
  expect(phases(host)).toEqual(["loading", "generating", "idle"]);
});

test("cancelling works while the model loads", async () => {
  const { session } = start({ loadMs: 10_000 });
  const running = session.run(job());
  setTimeout(() => session.cancel(), 20);
  expect(await running).toBeNull();
  expect([session.activity.phase, session.model]).toEqual(["idle", null]);
});

test("an error is shown in words, and the next run works", async () => {
  const { session, log } = start({ failAt: { step: 2, error: new GpuError("lost", "The device was lost") } });
  expect(await session.run(job())).toBeNull();
  expect(session.activity).toEqual({ phase: "failed", problem: { title: "The graphics device was reset", detail: "The device was lost.", wayOut: "Run it again: a new device is made." } });
  await session.run(job({ options: { numInferenceSteps: 1 } }));
  expect([session.activity.phase, log.loads]).toEqual(["done", 1]);
});

test("after its worker died, the model is loaded anew", async () => {
  const { session, log } = start({ failAt: { step: 2, error: new WorkerError("The worker stopped") } });
  await session.run(job());
  expect(session.model).toBeNull();
  await session.run(job({ options: { numInferenceSteps: 1 } }));
  expect([session.activity.phase, log.loads]).toEqual(["done", 2]);
});

test("one at a time: a second run while one is under way does nothing", async () => {
  const { session, log } = start({ stepMs: 10 });
  const [first, second] = await Promise.all([session.run(job()), session.run(job())]);
  expect(first).not.toBeNull();
  expect(second).toBeNull();
  expect(log.options).toHaveLength(1);
});

test("a model is prepared without a word; a run that begins meanwhile waits for it", async () => {
  const { host, session, log } = start({ loadMs: 60 });
  const preparing = session.prepare(job());
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect([phases(host), session.busy]).toEqual([[], false]);
  await session.run(job());
  await preparing;
  expect(log.loads).toBe(1);
  expect(phases(host)).toEqual(["loading", "generating", "done"]);
});

test("what cannot be prepared is told by the next run", async () => {
  const host = new Host();
  const session = new Session(host, () => Promise.reject(new HubError("there is no model")));
  await session.prepare(job());
  expect(session.activity.phase).toBe("idle");
  await session.run(job());
  expect(session.activity).toMatchObject({ phase: "failed", problem: { detail: "there is no model" } });
});

test("another model that is chosen while one loads stops that one", async () => {
  const { session, log } = start({ loadMs: 10_000 });
  const preparing = session.prepare(job());
  await session.unload();
  await preparing;
  expect([log.loads, log.disposed, session.model]).toEqual([1, 0, null]);
});

test("a page that is left frees the model", async () => {
  const { session, log } = start();
  await session.run(job());
  session.hostDisconnected();
  await vi.waitUntil(() => log.disposed === 1);
});
