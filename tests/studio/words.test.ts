// Numbers, errors, file names, addresses and browsers in words.
import { expect, test } from "vitest";
import { GpuError } from "../../src/gpu/errors.ts";
import { HubError } from "../../src/hub/errors.ts";
import { advise } from "../../src/studio/browsers.ts";
import { fileName } from "../../src/studio/download.ts";
import { hostOf, readRemote, shippedModel } from "../../src/studio/model-choice.ts";
import { counted, formatBytes, formatSeconds, isAbort, problemOf, timeLeft, tookSeconds } from "../../src/studio/words.ts";
import { WorkerError } from "../../src/worker/errors.ts";

test("bytes", () => {
  expect([0, 999, 1000, 38_240_000, 99_960_000, 512_000_000, 2.5e9, 7e15].map(formatBytes)).toEqual(["0 bytes", "999 bytes", "1.0 kB", "38.2 MB", "100 MB", "512 MB", "2.5 GB", "7000 TB"].map((text) => text.replace(" ", "\u00a0")));
});

test("time", () => {
  expect([0, 0.2, 3.2, 59.1, 60, 61, 125, 3600, 7260].map(formatSeconds)).toEqual(["1 s", "1 s", "4 s", "1 min", "1 min", "1 min 1 s", "2 min 5 s", "1 h 0 min", "2 h 1 min"]);
  expect([0.24, 9.94, 12.1].map(tookSeconds)).toEqual(["0.2 s", "9.9 s", "13 s"]);
  expect([null, Infinity, 4].map(timeLeft)).toEqual(["", "", "4 s left"]);
  expect([counted(1, "picture"), counted(3, "picture")]).toEqual(["1 picture", "3 pictures"]);
});

test("an error tells what, why and what to do, each once", () => {
  expect(problemOf(new GpuError("lost", "The device was lost"))).toEqual({ title: "The graphics device was reset", detail: "The device was lost.", wayOut: "Run it again: a new device is made." });
  expect(problemOf(new WorkerError("The worker stopped"))).toEqual({ title: "The worker stopped", detail: "The worker stopped.", wayOut: "Run it again: a new worker is started." });
  expect(problemOf(new HubError("emoji: there is no model"))).toEqual({ title: "The model's files could not be had", detail: "emoji: there is no model", wayOut: "" });
  expect(problemOf("text")).toEqual({ title: "That did not work", detail: "text", wayOut: "" });
});

test("only an AbortError is a cancellation", () => {
  expect([new DOMException("", "AbortError"), new DOMException("", "NetworkError"), new Error("AbortError")].map(isAbort)).toEqual([true, false, false]);
});

test("file names fit every file system", () => {
  expect(fileName("Red apple, 3D! 77")).toBe("red-apple-3d-77.png");
  expect(fileName("красное яблоко")).toBe("красное-яблоко.png");
  expect(fileName("../../etc/passwd")).toBe("etc-passwd.png");
  expect(fileName("🍎")).toBe("kiln.png");
  expect([...fileName("a ".repeat(200))].length).toBeLessThanOrEqual(64);
});

test("only owner/name and secure addresses are remote models", () => {
  expect(readRemote(" stabilityai/sd-turbo ")).toEqual({ kind: "remote", name: "stabilityai/sd-turbo" });
  expect(readRemote("https://example.org/models/a")).toEqual({ kind: "remote", name: "https://example.org/models/a" });
  expect(readRemote("http://localhost:8000/a/")).toEqual({ kind: "remote", name: "http://localhost:8000/a/" });
  for (const wrong of ["", "emoji", "http://example.org/a", "javascript:alert(1)", "file:///etc", "../x/y", "https://"]) expect(readRemote(wrong), wrong).toBeTypeOf("string");
});

test("which host a choice asks", () => {
  expect(hostOf(shippedModel)).toBeNull();
  expect(hostOf({ kind: "remote", name: "a/b" })).toBe("huggingface.co");
  expect(hostOf({ kind: "remote", name: "https://example.org/a" })).toBe("example.org");
});

test("advice suits the browser at hand", () => {
  const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
  const safari = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15";
  expect(advise(firefox, true).steps.join()).toContain("dom.webgpu.enabled");
  expect(advise(chrome, true).steps.join()).toContain("Vulkan");
  expect(advise(safari, true).title).toBe("In Safari");
  expect(advise(chrome, false).title).toContain("plain http");
});
