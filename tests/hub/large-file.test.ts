// A 1 GB checkpoint passes through small buffers: what JavaScript holds grows by less than 64 MiB while all of it is read.
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCheckpoint } from "../../src/hub/checkpoint.ts";
import type { LoadProgress } from "../../src/hub/progress.ts";
import { openDirectory } from "../../src/hub/node.ts";

const MiB = 2 ** 20;
const tensors: [name: string, shape: number[]][] = [
  ["down.weight", [3 * 64 * MiB]], ["embedding", [128 * 1024, 1024]], ["mid.weight", [1024, 3 * 1024]],
  ...Array.from({ length: 400 }, (_, i): [string, number[]] => [`layer.${i}.weight`, [450, 1024]]),
]; // F16: 384 + 256 + 6 + 352 MiB

let directory: string;

/** Writes the header and the last element of each tensor (its index); the rest is a hole, which reads as zeros. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kiln-large-"));
  const header: Record<string, object> = {};
  let end = 0;
  const ends: number[] = [];
  for (const [name, shape] of tensors) {
    const begin = end;
    end += 2 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: "F16", shape, data_offsets: [begin, end] };
    ends.push(end);
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const file = await open(join(directory, "model.safetensors"), "w");
  const prefix = new DataView(new ArrayBuffer(8));
  prefix.setBigUint64(0, BigInt(json.length), true);
  await file.write(new Uint8Array(prefix.buffer), 0, 8, 0);
  await file.write(json, 0, json.length, 8);
  for (const [i, at] of ends.entries()) await file.write(Uint16Array.of(i + 1), 0, 2, 8 + json.length + at - 2);
  await file.close();
  expect(end).toBeGreaterThan(1e9);
});

afterAll(() => rm(directory, { recursive: true }));

test("streaming 1 GB", async () => {
  const held = (): number => {
    const { heapUsed, external } = process.memoryUsage(); // external includes array buffers
    return heapUsed + external;
  };
  const progress: LoadProgress[] = [];
  const folder = await openDirectory(directory, { onProgress: (report) => progress.push(report) });
  const checkpoint = await openCheckpoint(folder, "", "model");
  const before = held();
  let most = 0;
  let total = 0;
  for (const [i, [name]] of tensors.entries()) {
    let last = 0;
    for await (const chunk of checkpoint.stream(name)) {
      expect(chunk.byteLength).toBeLessThanOrEqual(16 * MiB);
      most = Math.max(most, held() - before);
      total += chunk.byteLength;
      last = chunk[chunk.byteLength - 2] + 256 * chunk[chunk.byteLength - 1];
    }
    expect(last).toBe(i + 1);
  }
  expect(total).toBeGreaterThan(1e9);
  console.log(`1 GB read, JavaScript memory grew by at most ${(most / MiB).toFixed(1)} MiB`);
  expect(most).toBeLessThan(64 * MiB);
  expect(progress.at(-1)).toMatchObject({ status: "load", file: "model.safetensors", loaded: progress.at(-1)?.total, secondsLeft: 0 });
});
