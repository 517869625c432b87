// What a site pays for text to image: the pipeline with all that it needs, in one thread, minified and gzipped, without models.
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { expect, test } from "vitest";
import { minifyWgsl } from "../../tools/build/minify-wgsl.ts";

const limit = 60_000; // bytes

test("text to image takes at most 60 kB gzipped, with CLIP's vocabulary; a tokenizer.json brings its reader when it is met", async () => {
  const result = await build({
    configFile: false,
    publicDir: false,
    logLevel: "error",
    plugins: [minifyWgsl()],
    build: {
      write: false,
      target: "es2022",
      rolldownOptions: { input: "src/pipelines/text-to-image.ts", preserveEntrySignatures: "strict" },
    },
  });
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((one) => ("output" in one ? one.output : []));
  const chunks = new Map(outputs.filter((output): output is Rolldown.OutputChunk => output.type === "chunk").map((chunk) => [chunk.fileName, chunk]));
  const entry = [...chunks.values()].find((chunk) => chunk.isEntry);
  if (!entry) throw new Error("the build has no entry");
  const needed = new Set([entry]);
  for (const chunk of needed) for (const file of chunk.imports) needed.add(chunks.get(file) ?? entry);
  const bytesOf = (some: Iterable<Rolldown.OutputChunk>) => [...some].reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).byteLength, 0);
  const [bytes, all] = [bytesOf(needed), bytesOf(chunks.values())];
  console.log(`text to image: ${(bytes / 1000).toFixed(1)} kB gzipped, ${(all / 1000).toFixed(1)} kB with the reader of tokenizer.json`);
  expect(bytes).toBeGreaterThan(5_000); // else the build dropped it
  expect(bytes).toBeLessThanOrEqual(limit);
});
