// Language models out of GGUF files: the last token's logits are those of transformers with the same quantised weights
// (tests/reference/gguf_files.py), so names, row orders, norms, rotary settings, windows and scales arrive.
import { readFileSync } from "node:fs";
import { afterAll, expect, test, vi } from "vitest";
import { causalLmOf } from "../../src/architectures/causal-lm.ts";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { openGguf } from "../../src/formats/gguf.ts";
import { modelOfGguf } from "../../src/formats/gguf-model.ts";
import { Weights } from "../../src/nn/weights.ts";
import { read, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";

vi.setConfig({ testTimeout: 600_000 }); // a software adapter takes seconds to compile each kernel the first time

const gpu = await testGpu();
afterAll(() => gpu.destroy());

const folder = new URL("../reference/golden/gguf/", import.meta.url);

test.each(["llama", "llama-linear", "mistral", "mixtral", "smollm3", "qwen2", "qwen3", "qwen3moe", "phi3", "phi3-long", "gemma2", "gemma3", "olmo2", "gpt2"])("%s", async (name) => {
  const { config, checkpoint } = await modelOfGguf(await openGguf(bytesSource(name, new Uint8Array(readFileSync(new URL(`${name}.gguf`, folder))))));
  const golden = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as { ids: number[]; logits: number[] };
  const builder = await causalLmOf(config);
  const weights = Weights.of(gpu, checkpoint, { name, dtype: "f32", ...builder.names });
  const model = builder.create(weights);
  weights.finish();
  await weights.load();
  using cache = model.newCache(1, { capacity: golden.ids.length });
  using ids = upload(gpu, Int32Array.from(golden.ids), [1, golden.ids.length], "i32");
  using logits = model.forward(ids, cache);
  const values = [...(await read(logits))];
  weights.dispose();
  const scale = Math.max(...golden.logits.map(Math.abs));
  expect(values).toHaveLength(golden.logits.length);
  expect(Math.max(...values.map((value, i) => Math.abs(Number(value) - golden.logits[i]))) / scale).toBeLessThan(1e-4);
});
