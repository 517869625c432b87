// Full size on paper: published language models by their headers alone, on a Gpu that only counts. See tests/reference/published_causal_lm.py.
import { afterAll, describe, expect, it } from "vitest";
import { causalLmOf } from "../../src/architectures/causal-lm.ts";
import { Checkpoint } from "../../src/formats/safetensors.ts";
import { DEFAULT_LIMITS, Gpu } from "../../src/gpu/gpu.ts";
import { Weights } from "../../src/nn/weights.ts";
import { empty } from "../../src/tensor/tensor.ts";
import { readJson } from "./golden.ts";
import { headerOnly } from "./headers.ts";

interface Published {
  readonly config: Record<string, unknown>;
  readonly parameters: number;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

const MODELS = Object.entries(readJson("published-causal-lm.json") as Record<string, Published>);
const MIB = 2 ** 20;

const report: string[] = [];
afterAll(() => console.log(["f16: weights, cache of 256 tokens, activations of a step, launches and MFLOP of a step at 100 tokens", ...report].join("\n")));

describe.each(MODELS)("%s", (model, { config, parameters, tensors }) => {
  it("has the tensors that ours takes, and takes so much memory and work", async () => {
    // desktop GPUs, where buffers may be large; what one binds at once is as small as WebGPU guarantees
    const gpu = new Gpu(null, { ...DEFAULT_LIMITS, maxBufferSize: 2 ** 31 }, { f16: true, subgroups: false, timestamps: false });
    const { names, create } = await causalLmOf(config);
    const weights = Weights.of(gpu, await Checkpoint.open(headerOnly(model, tensors)), { name: model, dtype: "f16", ...names });
    const decoder = create(weights);
    weights.finish();
    const weightBytes = gpu.memoryUse.live;
    expect(weightBytes / 2 / parameters).toBeGreaterThan(0.999);
    expect(weightBytes / 2 / parameters).toBeLessThan(1.001);

    using cache = decoder.newCache(1);
    const cacheBytes = gpu.memoryUse.live - weightBytes;
    using prompt = empty(gpu, [1, 100], "i32");
    decoder.forward(prompt, cache).dispose();
    const before = { ...gpu.work };
    gpu.memory.resetPeak();
    const held = gpu.memoryUse.live + gpu.memoryUse.idle;
    using token = empty(gpu, [1, 1], "i32");
    using logits = decoder.forward(token, cache);
    expect(logits.shape).toEqual([1, decoder.vocabSize]);
    const [launches, flops] = [gpu.work.dispatches - before.dispatches, gpu.work.flops - before.flops];
    const activations = gpu.memoryUse.peak - held + gpu.memoryUse.idle;
    report.push([model.padEnd(34), ...[weightBytes, cacheBytes, activations].map((bytes) => `${(bytes / MIB).toFixed(1).padStart(7)} MiB`), `${launches} launches`, `${(flops / 1e6).toFixed(0)} MFLOP`].join("  "));
    expect(flops).toBeGreaterThan(1.2 * parameters); // nearly two for each parameter, but those of the embedding
    expect(flops).toBeLessThan(2.2 * parameters);
  });
});
