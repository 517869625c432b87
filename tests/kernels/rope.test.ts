// Rotary position embedding against complex numbers written out.
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { rope } from "../../src/kernels/rope.ts";
import { rotaryTable } from "../../src/nn/rotary.ts";
import { empty, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { expectClose, random } from "./values.ts";

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const frequenciesOf = (rotary: number) => Float32Array.from({ length: rotary / 2 }, (_, i) => 100 ** ((-2 * i) / rotary));

it("turns pairs of channels by their position's angles and leaves the rest", async () => {
  const cases = fc.record({
    batch: fc.integer({ min: 1, max: 2 }), tokens: fc.integer({ min: 1, max: 9 }), heads: fc.integer({ min: 1, max: 3 }), half: fc.integer({ min: 1, max: 5 }),
    still: fc.integer({ min: 0, max: 3 }), start: fc.nat(20), padded: fc.boolean(), inPlaceOfCache: fc.boolean(), seed: fc.nat(),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ batch, tokens, heads, half, still, start, padded, inPlaceOfCache, seed }) => {
      const size = 2 * half + still;
      const frequencies = frequenciesOf(2 * half);
      const { tensor, values } = random(gpu, [batch, tokens, heads, size], "f32", seed);
      const counts = Int32Array.from({ length: batch }, (_, b) => 4 * b + 2);
      using padding = upload(gpu, counts, [batch], "i32");
      using table = rotaryTable(gpu, { frequencies, scale: 1.5 }, start + tokens);
      using cache = empty(gpu, [batch, tokens + 3, heads, size], "f32");
      using slot = cache.slice(1, 3, 3 + tokens);
      const out = rope(tensor, table, { start, padding: padded ? padding : undefined, out: inPlaceOfCache ? slot : undefined });
      const expected = values.map((value, at) => {
        const channel = at % size;
        if (channel >= 2 * half) return value;
        const token = Math.floor(at / (size * heads)) % tokens;
        const row = Math.floor(at / (size * heads * tokens));
        const angle = Math.max(0, start + token - (padded ? counts[row] : 0)) * frequencies[channel % half];
        const other = values[channel < half ? at + half : at - half];
        return 1.5 * (value * Math.cos(angle) + (channel < half ? -1 : 1) * other * Math.sin(angle));
      });
      for (let row = 0; row < batch; row++) {
        using part = out.slice(0, row, row + 1);
        using whole = rope(part, rotaryTableOfNoTurn(2 * half, tokens)); // a copy, since views of a cache are not read back
        await expectClose(whole, expected.subarray((row * expected.length) / batch, ((row + 1) * expected.length) / batch));
      }
      if (!inPlaceOfCache) out.dispose();
      tensor.dispose();
    }),
    { numRuns: 12 },
  );
});

/** Position 0 turns nothing. */
function rotaryTableOfNoTurn(rotary: number, positions: number) {
  return rotaryTable(gpu, { frequencies: new Float32Array(rotary / 2), scale: 1 }, positions);
}

it("names what does not fit", () => {
  using x = empty(gpu, [1, 3, 2, 8], "f32");
  using table = rotaryTable(gpu, { frequencies: frequenciesOf(8), scale: 1 }, 4);
  using wide = rotaryTable(gpu, { frequencies: frequenciesOf(10), scale: 1 }, 4);
  expect(() => rope(x, table, { start: 2 })).toThrow("rope: positions 2…4, the table has 4");
  expect(() => rope(x, wide)).toThrow("rope: table expected an even number of at most 8 columns, got [4, 10]");
});
