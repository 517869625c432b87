// The worker's protocol over a MessageChannel, with a scripted pipeline at its far end.
import { expose } from "comlink";
import { afterEach, expect, test } from "vitest";
import { FormatError } from "../../src/formats/errors.ts";
import { GpuError } from "../../src/gpu/errors.ts";
import { HubError } from "../../src/hub/errors.ts";
import { CheckpointError, ConfigError } from "../../src/nn/errors.ts";
import { GrammarError } from "../../src/sampling/grammar/errors.ts";
import type { Pixels, Progress, TextToImageStep } from "../../src/pipelines/types.ts";
import { ShapeError } from "../../src/tensor/shape.ts";
import { loadThrough, lookThrough } from "../../src/worker/client.ts";
import { WorkerError } from "../../src/worker/errors.ts";
import { WorkerLink } from "../../src/worker/link.ts";
import { PipelineService } from "../../src/worker/service.ts";
import { buffersOf, installTransferHandlers } from "../../src/worker/transfer.ts";
import { fakeLoader, fakeModel, type FakeScript } from "../fake-pipeline.ts";
import { fakeTextLoader, fakeTextModel } from "../fake-text-pipeline.ts";

const ports: MessagePort[] = [];
afterEach(() => ports.splice(0).forEach((port) => port.close()));

function connect(script: FakeScript = {}) {
  installTransferHandlers();
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const { load, log } = fakeLoader(script);
  const text = fakeTextLoader();
  expose(new PipelineService({ "text-to-image": load, "text-generation": text.load }, async () => ({ adapter: "a scripted one" }), async (place) => ({ task: "text-to-image", card: null, bytes: String(place).length, cached: false })), port1);
  port2.start();
  return { link: new WorkerLink(port2), log, textLog: text.log };
}

const soon = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms));

test("loading reports progress in order and gives the model's description", async () => {
  const { link } = connect();
  const seen: Progress[] = [];
  const pipe = await loadThrough(link, "text-to-image", "emoji", { onProgress: (progress) => seen.push(progress) });
  expect(pipe.model).toEqual(fakeModel);
  expect(seen.at(-1)?.status).toBe("ready");
  expect(seen.map((progress) => progress.loaded)).toEqual([...seen.map((progress) => progress.loaded)].sort((a, b) => a - b));
  expect(await pipe.plan()).toEqual(fakeModel.memory);
});

test("a first look, and whether there is WebGPU, without loading", async () => {
  const { link, log } = connect();
  expect(await lookThrough(link, new URL("https://example.org/a/"))).toEqual({ task: "text-to-image", card: null, bytes: 22, cached: false });
  expect(await link.call((service) => service.support())).toBe("a scripted one");
  expect(log.loads).toBe(0);
});

test("what cannot go to a worker is refused by name", async () => {
  const { link } = connect();
  const folder = { id: "x", revision: "", has: async () => false, json: async () => null, text: async () => null, source: async () => Promise.reject(new Error()) };
  await expect(loadThrough(link, "text-to-image", folder)).rejects.toThrow(/model: an opened folder cannot go to a worker/);
});

test("steps come in order with their previews, and the result after them", async () => {
  const { link, log } = connect();
  const pipe = await loadThrough(link, "text-to-image", "emoji");
  const work = pipe("red apple", { seed: 2n ** 63n + 1n, numInferenceSteps: 3, previewEvery: 2, numImagesPerPrompt: 2 });
  const steps: TextToImageStep[] = [];
  for await (const step of work) steps.push(step);
  expect(steps.map((step) => step.step)).toEqual([1, 2, 3]);
  expect(steps.map((step) => step.previews?.length)).toEqual([undefined, 2, undefined]);
  const { images, seed } = await work;
  expect(seed).toBe(2n ** 63n + 1n);
  expect(images.map((image) => image.recipe.prompt)).toEqual(["red apple", "red apple"]);
  expect(images[0].data).toBeInstanceOf(Uint8ClampedArray);
  expect(images[0].data).toHaveLength(128 * 128 * 4);
  expect(log.steps).toBe(3);
});

test("awaiting alone runs to the end", async () => {
  const { link } = connect();
  const pipe = await loadThrough(link, "text-to-image", "emoji");
  const { images } = await pipe("red apple", { seed: 1, numInferenceSteps: 2 });
  expect(images).toHaveLength(1);
});

test("text comes through in pieces, with its own types and its chat face", async () => {
  const { link, textLog } = connect();
  const pipe = await loadThrough(link, "text-generation", "storyteller", { quantize: "q8" });
  expect(pipe.model).toEqual(fakeTextModel);
  const work = pipe(["once upon a time"], { temperature: 0.5, stopStrings: ["end"] });
  const pieces: string[] = [];
  for await (const { text, index } of work) pieces.push(`${index}${text}`);
  expect(pieces).toEqual(["0once", "0 upon", "0 a", "0 time"]);
  expect((await work).usage.completionTokens).toBe(4);
  expect(textLog.options[0]).toMatchObject({ temperature: 0.5, stopStrings: ["end"] });
  const { choices } = await pipe.chat.completions.create({ messages: [{ role: "user", content: "hello there" }], max_tokens: 1 });
  expect(choices[0]).toMatchObject({ message: { content: "hello" }, finish_reason: "length" });
});

test("an unknown task is refused by name", async () => {
  const { link } = connect();
  const task: string = "text-to-song";
  await expect(loadThrough(link, task as "text-generation", "x")).rejects.toThrow(/task "text-to-song" is unknown; there is "text-to-image", "text-generation"/);
});

test("pixels move over: the sender's buffers are gone", async () => {
  const sent: Pixels[] = [];
  const { load } = fakeLoader();
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  installTransferHandlers();
  const spying: typeof load = async (...call) => {
    const pipe = await load(...call);
    const spied = (prompt: string, options = {}) => {
      const work = pipe(prompt, options);
      void work.then(({ images }) => sent.push(...images));
      return work;
    };
    return Object.assign(spied, { model: pipe.model, plan: pipe.plan, dispose: pipe.dispose });
  };
  expose(new PipelineService({ "text-to-image": spying, "text-generation": fakeTextLoader().load }, async () => ({ adapter: "" }), async () => ({ task: "text-to-image", card: null, bytes: null, cached: false })), port1);
  port2.start();
  const pipe = await loadThrough(new WorkerLink(port2), "text-to-image", "emoji");
  const { images } = await pipe("red apple", { numInferenceSteps: 1 });
  await soon();
  expect(sent).toHaveLength(1);
  expect(sent[0].data.buffer.byteLength).toBe(0);
  expect(images[0].data.buffer.byteLength).toBe(128 * 128 * 4);
});

test("the worker is at most one step ahead of whoever reads", async () => {
  const { link, log } = connect();
  const pipe = await loadThrough(link, "text-to-image", "emoji");
  const steps = pipe("red apple", { numInferenceSteps: 20 })[Symbol.asyncIterator]();
  await steps.next();
  await soon(50);
  expect(log.steps).toBe(2);
  await steps.next();
  await soon(50);
  expect(log.steps).toBe(3);
  await steps.return?.();
});

test("leaving the loop early stops the work and runs its clean-up", async () => {
  const { link, log } = connect({ stepMs: 5 });
  const pipe = await loadThrough(link, "text-to-image", "emoji");
  const work = pipe("red apple", { numInferenceSteps: 100 });
  for await (const step of work) if (step.step === 3) break;
  expect(log.ended).toBe(1);
  const done = log.steps;
  expect(done).toBeLessThanOrEqual(4);
  await soon(50);
  expect(log.steps).toBe(done);
  await expect(work).rejects.toMatchObject({ name: "AbortError" });
});

test("an abort signal reaches into a step, with its reason", async () => {
  const { link, log } = connect({ stepMs: 10_000 });
  const pipe = await loadThrough(link, "text-to-image", "emoji");
  const controller = new AbortController();
  const work = pipe("red apple", { signal: controller.signal });
  const started = performance.now();
  setTimeout(() => controller.abort(new DOMException("the user cancelled", "AbortError")), 30);
  await expect(work).rejects.toMatchObject({ name: "AbortError", message: "the user cancelled" });
  expect(performance.now() - started).toBeLessThan(2000);
  expect(log.ended).toBe(1);
});

test("a signal aborted before the call never reaches the worker", async () => {
  const { link, log } = connect();
  const pipe = await loadThrough(link, "text-to-image", "emoji");
  await expect(pipe("red apple", { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  expect(log.options).toHaveLength(0);
});

test("loading can be aborted", async () => {
  const { link } = connect({ loadMs: 10_000 });
  const controller = new AbortController();
  const loading = loadThrough(link, "text-to-image", "emoji", { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await expect(loading).rejects.toMatchObject({ name: "AbortError" });
});

test("errors keep class, kind, message and way out", async () => {
  const error = new GpuError("out-of-memory", "GPU memory is used up");
  const { link } = connect({ failAt: { step: 2, error } });
  const pipe = await loadThrough(link, "text-to-image", "emoji");
  const thrown = await Promise.resolve(pipe("red apple")).catch((reason: unknown) => reason);
  expect(thrown).toBeInstanceOf(GpuError);
  expect(thrown).toMatchObject({ name: "GpuError", kind: "out-of-memory", message: error.message, wayOut: error.wayOut });
});

test.each([
  new ConfigError('unet: config key "act_fn" expected one of silu, got "mish"'), new CheckpointError("unet: the checkpoint does not fit its config: missing conv_in.weight [4]"),
  new GrammarError("grammar: look-behind is not supported"), new FormatError("x.safetensors: damaged"), new HubError("x: there is no file y"), new ShapeError("linear: x expected [2], got [3]"),
  new RangeError("guidanceScale expected at least 1, got 0"), new TypeError("a prompt expected"),
])("%s arrives as what it is", async (error) => {
  const { link } = connect({ failAt: { step: 1, error } });
  const pipe = await loadThrough(link, "text-to-image", "emoji");
  const thrown: unknown = await Promise.resolve(pipe("red apple")).catch((reason: unknown) => reason);
  expect(thrown).toBeInstanceOf(error.constructor);
  expect(thrown).toMatchObject({ name: error.name, message: error.message });
});

test("a dead worker rejects everything pending, and everything after, with one clear error", async () => {
  const { link } = connect({ stepMs: 10_000 });
  const pipe = await loadThrough(link, "text-to-image", "emoji");
  const first = Promise.resolve(pipe("red apple")).catch((reason: unknown) => reason);
  const second = Promise.resolve(pipe("house")).catch((reason: unknown) => reason);
  await soon();
  link.fail("The worker stopped (out of memory)");
  const [a, b] = await Promise.all([first, second]);
  expect(a).toBeInstanceOf(WorkerError);
  expect(b).toBe(a);
  expect(String(a)).toBe("WorkerError: The worker stopped (out of memory). Run it again: a new worker is started.");
  await expect(pipe.plan()).rejects.toBe(a);
  await pipe.dispose();
});

test("dispose reaches the pipeline, and later calls say so", async () => {
  const { link, log } = connect();
  const pipe = await loadThrough(link, "text-to-image", "emoji");
  await pipe.dispose();
  expect(log.disposed).toBe(1);
  await expect(pipe("red apple")).rejects.toThrow(/disposed/);
});

test("buffers are found once each, in views, lists and records", () => {
  const shared = new ArrayBuffer(8);
  const other = new ArrayBuffer(4);
  const data = { done: false, value: { previews: [{ data: new Uint8ClampedArray(shared) }, { data: new Uint8Array(shared) }], raw: other, name: "x", none: null } };
  expect(buffersOf(data)).toEqual([shared, other]);
});
