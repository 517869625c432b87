// What a site pays for text to image: the pipeline with all that it needs, in one thread, minified and gzipped, without models.
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { expect, test } from "vitest";

const limit = 60_000; // bytes

test("text to image takes at most 60 kB gzipped", async () => {
  const result = await build({
    configFile: false,
    publicDir: false,
    logLevel: "error",
    build: {
      write: false,
      target: "es2022",
      rolldownOptions: {
        input: "src/pipelines/text-to-image.ts",
        preserveEntrySignatures: "strict",
        output: { codeSplitting: false },
      },
    },
  });
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((one) => ("output" in one ? one.output : []));
  const chunks = outputs.filter((output): output is Rolldown.OutputChunk => output.type === "chunk");
  const bytes = chunks.reduce((sum, chunk) => sum + gzipSync(chunk.code, { level: 9 }).byteLength, 0);
  console.log(`text to image: ${(bytes / 1000).toFixed(1)} kB gzipped`);
  expect(bytes).toBeGreaterThan(5_000); // else the build dropped it
  expect(bytes).toBeLessThanOrEqual(limit);
});
