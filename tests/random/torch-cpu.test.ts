// torch.Generator("cpu") against golden values of PyTorch 2.13 (tests/reference/generators.py).
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Mt19937 } from "../../src/random/mt19937.ts";
import { TorchCpuGenerator } from "../../src/random/torch-cpu.ts";
import { splitSeed } from "../../src/random/seed.ts";

interface Draw {
  call: "rand" | "randn";
  count: number;
  bits: string[];
}
interface Golden {
  sequences: { seed: string; words: string[]; draws: Draw[] }[];
  million: { seed: number; sha256: string };
}
const file = (name: string) => new URL(`../reference/golden/${name}`, import.meta.url);
const golden: Golden = JSON.parse(readFileSync(file("generators.json"), "utf8"));

const hexBits = (x: Float32Array) => [...new Uint32Array(x.buffer)].map((b) => b.toString(16).padStart(8, "0"));

/** Distance in units of the last place. */
function ulps(a: Float32Array, b: Float32Array): number {
  const ordered = (x: Float32Array) => Float64Array.from(new Int32Array(x.buffer), (v) => (v < 0 ? -(v & 0x7fffffff) : v));
  const [left, right] = [ordered(a), ordered(b)];
  return left.reduce((worst, v, i) => Math.max(worst, Math.abs(v - right[i])), 0);
}

describe.each(golden.sequences)("seed $seed", ({ seed, words, draws }) => {
  test("words equal PyTorch's", () => {
    const engine = new Mt19937(splitSeed(BigInt(seed)).low);
    const word = () => engine.nextUint32().toString(16).padStart(8, "0");
    expect(words.map(() => word() + word())).toEqual(words);
  });

  test("a sequence of draws: uniforms equal bit for bit, normals within 2 ulp on both paths", () => {
    const generator = new TorchCpuGenerator(BigInt(seed));
    for (const { call, count, bits } of draws) {
      const got = generator[call](count);
      const want = new Float32Array(Uint32Array.from(bits, (b) => parseInt(b, 16)).buffer);
      if (call === "rand") expect(hexBits(got)).toEqual(bits);
      else expect(ulps(got, want), `${call}(${count})`).toBeLessThanOrEqual(2);
    }
  });
});

test("100,003 normals equal bit for bit, the redrawn tail included", () => {
  const bytes = readFileSync(file("generators-normals.bin"));
  const got = new TorchCpuGenerator(1234).randn(bytes.length / 4);
  expect(Buffer.from(got.buffer).equals(bytes)).toBe(true);
});

test("a million normals equal bit for bit", () => {
  const got = new TorchCpuGenerator(golden.million.seed).randn(1_000_000);
  expect(createHash("sha256").update(new Uint8Array(got.buffer)).digest("hex")).toBe(golden.million.sha256);
});
