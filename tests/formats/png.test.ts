// PNG: what is written is read back, here and in Pillow's files (tests/reference/formats.py); damage is refused.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/formats/errors.ts";
import { decodePng, encodePng, readPngText } from "../../src/formats/png.ts";

const golden = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../reference/golden/formats/${name}`, import.meta.url)));

const images = fc.record({ width: fc.integer({ min: 1, max: 20 }), height: fc.integer({ min: 1, max: 20 }), channels: fc.constantFrom(3 as const, 4 as const) })
  .chain(({ width, height, channels }) => fc.uint8Array({ minLength: width * height * channels, maxLength: width * height * channels })
    .map((data) => ({ width, height, channels, data })));

describe("encodePng", () => {
  test("any image comes back", async () => {
    await fc.assert(fc.asyncProperty(images, async (image) => {
      expect(await decodePng(await encodePng(image))).toEqual(image);
    }), { numRuns: 60 });
  });

  test("texts of any characters come back, by any keyword", async () => {
    const keyword = fc.stringMatching(/^[\x21-\x7e\xa1-\xff]{1,79}$/);
    const text = fc.string({ unit: "grapheme" }).filter((value) => !value.includes("\0"));
    await fc.assert(fc.asyncProperty(fc.dictionary(keyword, text), text, async (texts, xmp) => {
      const file = await encodePng({ width: 1, height: 1, data: new Uint8Array(3) }, { text: texts, xmp });
      expect(Object.entries((await readPngText(file)).text).sort()).toEqual(Object.entries(texts).sort());
      expect((await readPngText(file)).xmp).toBe(xmp);
    }), { numRuns: 60 });
  });

  test("a smooth picture becomes small: rows choose their filters", async () => {
    const [width, height] = [256, 256];
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => ((i / 3) % width) / 2 + Math.floor(i / 3 / width) / 2);
    expect((await encodePng({ width, height, data })).byteLength).toBeLessThan(data.length / 40);
  });

  test.each<[string, Parameters<typeof encodePng>, string]>([
    ["data of another size", [{ width: 2, height: 2, data: new Uint8Array(5) }], "2×2 takes 3 or 4 values a pixel"],
    ["an empty image", [{ width: 0, height: 0, data: new Uint8Array(0) }], "0×0 takes"],
    ["a keyword too long", [{ width: 1, height: 1, data: new Uint8Array(3) }, { text: { ["x".repeat(80)]: "" } }], "is no keyword"],
    ["a keyword with a space before it", [{ width: 1, height: 1, data: new Uint8Array(3) }, { text: { " x": "" } }], "is no keyword"],
    ["a zero in a text", [{ width: 1, height: 1, data: new Uint8Array(3) }, { text: { x: "a\0b" } }], "zero character"],
  ])("refuses %s", async (_what, [image, text], message) => {
    await expect(encodePng(image, text)).rejects.toThrow(message);
  });
});

describe("Pillow's files", () => {
  test.each(["rgb", "rgba"])("%s: pixels and texts", async (mode) => {
    const image = await decodePng(golden(`${mode}.png`));
    expect(image).toMatchObject({ width: 29, height: 33, channels: mode.length });
    expect(image.data).toEqual(golden(`${mode}.raw`));
    const { text, xmp } = await readPngText(golden(`${mode}.png`));
    expect(text).toEqual({ parameters: "red apple\nSteps: 8", compressed: "a ".repeat(200), Description: "красное яблоко 🍎", packed: "яблоко ".repeat(50) });
    expect(xmp).toBe("<x:xmpmeta/>");
  });

  test("a palette is refused by name", async () => {
    await expect(decodePng(golden("palette.png"))).rejects.toThrow("colour type 3");
  });
});

test("damage is a FormatError, wherever it is", async () => {
  const file = await encodePng({ width: 3, height: 2, data: new Uint8Array(18).fill(7) }, { text: { a: "b" }, xmp: "ж" });
  await fc.assert(fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, change, cut) => {
    const damaged = cut ? file.slice(0, at) : file.slice();
    if (!cut) damaged[at] ^= change;
    await expect(decodePng(damaged)).rejects.toBeInstanceOf(FormatError);
    await expect(readPngText(damaged)).rejects.toBeInstanceOf(FormatError);
  }), { numRuns: 300 });
});
