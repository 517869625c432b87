// Mixtures of experts against plain loops.
import { afterAll, describe, expect, it, vi } from "vitest";
import { decodeStored } from "../../src/formats/ggml-blocks.ts";
import { quantizeBlocks } from "../../src/formats/ggml-quantize.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { LAUNCH } from "../../src/kernels/bands.ts";
import { expertProducts, groupByExpert, routeToExperts, sumExperts } from "../../src/kernels/experts.ts";
import { QuantizedTensor } from "../../src/tensor/quantized.ts";
import { read, type Tensor, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, lcg, random } from "./values.ts";

vi.setConfig({ testTimeout: 600_000 });

const gpu = await testGpu();
afterAll(() => gpu.destroy());
const DTYPES = gpu.features.f16 ? (["f32", "f16"] as const) : (["f32"] as const);

/** Different experts for each row, i32 [rows, used]. */
function choices(rows: number, used: number, experts: number, seed: number): Int32Array<ArrayBuffer> {
  const next = lcg(seed);
  const row = () => {
    const all = Array.from({ length: experts }, (_, i) => i);
    return Array.from({ length: used }, () => all.splice(Math.floor(next() * all.length), 1)[0]);
  };
  return Int32Array.from(Array.from({ length: rows }, row).flat());
}

describe("routeToExperts", () => {
  it.each([true, false])("takes the largest of the softmax, normalised: %s", async (normalised) => {
    const [rows, experts, used] = [5, 70, 8];
    const logits = random(gpu, [rows, experts], "f32", 1, 4);
    const { ids, shares } = routeToExperts(logits.tensor, used, { normalised });
    const expectedIds: number[] = [];
    const expectedShares: number[] = [];
    for (let r = 0; r < rows; r++) {
      const row = [...logits.values.subarray(r * experts, (r + 1) * experts)];
      const order = row.map((_, i) => i).sort((a, b) => row[b] - row[a] || a - b).slice(0, used);
      const total = (normalised ? order.map((i) => row[i]) : row).reduce((sum, logit) => sum + Math.exp(logit), 0);
      expectedIds.push(...order);
      expectedShares.push(...order.map((i) => Math.exp(row[i]) / total));
    }
    expect([...(await read(ids))]).toEqual(expectedIds);
    await expectClose(shares, expectedShares, 1e-6);
    [logits.tensor, ids, shares].forEach((tensor) => tensor.dispose());
  });

  it("takes the lower number of equals", async () => {
    using logits = upload(gpu, Float32Array.from([1, 3, 3, 3, 0, 3]), [1, 6], "f32");
    const { ids, shares } = routeToExperts(logits, 3, { normalised: true });
    expect([...(await read(ids))]).toEqual([1, 2, 3]);
    await expectClose(shares, [1 / 3, 1 / 3, 1 / 3], 1e-6);
    [ids, shares].forEach((tensor) => tensor.dispose());
  });

  it("names experts that exist even where logits are no numbers", async () => {
    using logits = upload(gpu, new Float32Array(5).fill(NaN), [1, 5], "f32");
    const { ids, shares } = routeToExperts(logits, 2, { normalised: true });
    for (const id of await read(ids)) expect(id).toBeLessThan(5);
    [ids, shares].forEach((tensor) => tensor.dispose());
    expect(() => routeToExperts(logits, 6, { normalised: true })).toThrow(/6 of 5 experts/);
  });
});

describe("groupByExpert", () => {
  it.each([[1, 4, 16], [3, 2, 5], [40, 3, 7], [64, 2, 300]])("puts %i rows at %i of %i experts into tiles", async (rows, used, experts) => {
    const ids = choices(rows, used, experts, rows);
    using given = upload(gpu, ids, [rows, used], "i32");
    const { order, tiles, height } = groupByExpert(given, experts);
    const slots = [...(await read(order))];
    const cut = await read(tiles);
    const seen: number[] = [];
    for (let t = 0; t < tiles.dim(0); t++) {
      const [expert, first, count] = cut.subarray(4 * t, 4 * t + 3);
      expect(count).toBeLessThanOrEqual(height);
      for (const slot of slots.slice(first, first + count)) expect(ids[slot]).toBe(expert);
      seen.push(...slots.slice(first, first + count));
    }
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from(ids, (_, slot) => slot));
    [order, tiles].forEach((tensor) => tensor.dispose());
  });
});

describe("expertProducts", () => {
  const [experts, height, terms] = [5, 24, 64];

  /** Rows `first` … of each slot's expert times its row of x. */
  function reference(x: ArrayLike<number>, weight: ArrayLike<number>, ids: Int32Array, per: number, first: number, cols: number): Float64Array {
    const out = new Float64Array(ids.length * cols);
    ids.forEach((expert, slot) => {
      for (let col = 0; col < cols; col++) {
        const row = (expert * height + first + col) * terms;
        for (let k = 0; k < terms; k++) out[slot * cols + col] += x[Math.floor(slot / per) * terms + k] * weight[row + k];
      }
    });
    return out;
  }

  async function check(on: Gpu, rows: number, used: number, per: number, weight: Tensor | QuantizedTensor, values: ArrayLike<number>, dtype: "f32" | "f16"): Promise<void> {
    const ids = choices(rows, used, experts, rows);
    const x = random(on, [(rows * used) / per, terms], dtype, 3);
    const given = upload(on, ids, [rows, used], "i32");
    const groups = groupByExpert(given, experts);
    for (const [first, cols] of [[0, height], [8, 13]]) {
      using out = expertProducts(x.tensor, { weight, experts, cols, first }, groups);
      expect(out.shape).toEqual([rows * used, cols]);
      await expectClose(out, reference(x.values, values, ids, per, first, cols), dtype === "f16" ? 1e-2 : 1e-5);
    }
    [x.tensor, given, groups.order, groups.tiles].forEach((tensor) => tensor.dispose());
  }

  it.each(DTYPES)("equals the reference for few and many rows (%s)", async (dtype) => {
    const weight = random(gpu, [experts * height, terms], dtype, 9);
    for (const [rows, used, per] of [[1, 2, 2], [1, 2, 1], [9, 3, 3], [30, 2, 1]]) await check(gpu, rows, used, per, weight.tensor, weight.values, dtype);
    weight.tensor.dispose();
  });

  it.each(["Q8_0", "Q4_1"] as const)("reads quantised experts (%s)", async (type) => {
    const plain = random(gpu, [experts * height, terms], "f32", 9);
    const blocks = quantizeBlocks(type, Float32Array.from(plain.values));
    const weight = new QuantizedTensor(gpu, [experts * height, terms], type);
    weight.fill(0, blocks);
    const values = Float64Array.from(decodeStored(type, blocks, "f32"));
    for (const [rows, used, per] of [[1, 2, 2], [9, 3, 3]]) await check(gpu, rows, used, per, weight, values, "f32");
    [plain.tensor, weight].forEach((owned) => owned.dispose());
  });

  it("gives the same in bands of experts, and in the variant for hardware", async () => {
    const whole = LAUNCH.flops;
    LAUNCH.flops = 20_000;
    const weight = random(gpu, [experts * height, terms], "f32", 9);
    await check(gpu, 9, 3, 3, weight.tensor, weight.values, "f32");
    LAUNCH.flops = whole;
    weight.tensor.dispose();
    const { device, limits, features } = await testGpu();
    const like = new Gpu(device, limits, { ...features, subgroups: false }, "like", { software: false, subgroupSize: 0 });
    const other = random(like, [experts * height, terms], "f32", 9);
    await check(like, 9, 3, 3, other.tensor, other.values, "f32");
    like.destroy();
  });

  it("names what does not fit", () => {
    using weight = random(gpu, [experts * height, terms], "f32", 9).tensor;
    using ids = upload(gpu, choices(2, 2, experts, 1), [2, 2], "i32");
    const groups = groupByExpert(ids, experts);
    using x = random(gpu, [2, 32], "f32", 1).tensor;
    expect(() => expertProducts(x, { weight, experts, cols: height }, groups)).toThrow(/expertProducts: x expected \[.*, 64\], got \[2, 32\]/);
    [groups.order, groups.tiles].forEach((tensor) => tensor.dispose());
  });
});

it.each([true, false])("sumExperts weighs what each row takes, residual: %s", async (added) => {
  const [rows, used, cols] = [4, 3, 10];
  const x = random(gpu, [rows * used, cols], "f32", 1);
  const shares = random(gpu, [rows, used], "f32", 2);
  const residual = random(gpu, [rows, cols], "f32", 3);
  using out = sumExperts(x.tensor, shares.tensor, added ? residual.tensor : undefined);
  const expected = Array.from({ length: rows * cols }, (_, i) => {
    const row = Math.floor(i / cols);
    let sum = added ? residual.values[i] : 0;
    for (let s = 0; s < used; s++) sum += shares.values[row * used + s] * x.values[(row * used + s) * cols + (i % cols)];
    return sum;
  });
  await expectClose(out, expected, 1e-6);
  for (const { tensor } of [x, shares, residual]) tensor.dispose();
});
