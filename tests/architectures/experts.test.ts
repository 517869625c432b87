// Mixtures of experts of full size on paper (see tests/reference/published_experts.py), in f16 and in 8 bits, and what their configs may not ask for. In f32 they are tested with the other decoders.
import { afterAll, describe, expect, it } from "vitest";
import { causalLmOf } from "../../src/architectures/causal-lm.ts";
import { Checkpoint } from "../../src/formats/safetensors.ts";
import { DEFAULT_LIMITS, Gpu } from "../../src/gpu/gpu.ts";
import { Weights } from "../../src/nn/weights.ts";
import { empty, upload } from "../../src/tensor/tensor.ts";
import { testGpu } from "../gpu.ts";
import { openGolden, readJson, relativeError, type Values } from "./golden.ts";
import { headerOnly } from "./headers.ts";

interface Published {
  readonly config: Record<string, unknown>;
  readonly parameters: number;
  /** Of them, those that a token meets. */
  readonly active: number;
  readonly experts: number;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

const MODELS = Object.entries(readJson("published-experts.json") as Record<string, Published>);
const GIB = 2 ** 30;

const report: string[] = [];
afterAll(() => console.log(["weights, activations of a step, launches and GFLOP of a step", ...report].join("\n")));

/** `experts.*` is every expert's number. */
function all({ tensors, experts }: Published): Record<string, readonly number[]> {
  return Object.fromEntries(
    Object.entries(tensors).flatMap(([name, shape]) => (name.includes("*") ? Array.from({ length: experts }, (_, i) => [name.replace("*", String(i)), shape] as const) : [[name, shape] as const])),
  );
}

describe.each(MODELS)("%s", (name, model) => {
  it.each([[undefined, 2], ["q4", 0.63]] as const)("has the tensors that ours takes, quantised: %s", async (quantize, bytesEach) => {
    const gpu = new Gpu(null, { ...DEFAULT_LIMITS, maxBufferSize: 2 ** 31 }, { f16: true, subgroups: false, timestamps: false });
    const { names, create } = await causalLmOf(model.config);
    const weights = Weights.of(gpu, await Checkpoint.open(headerOnly(name, all(model))), { name, dtype: "f16", quantize, ...names });
    const decoder = create(weights);
    weights.finish();
    const bytes = gpu.memoryUse.live;
    expect(bytes / model.parameters / bytesEach).toBeGreaterThan(0.99);
    expect(bytes / model.parameters / bytesEach).toBeLessThan(1.01);

    using cache = decoder.newCache(1);
    using prompt = empty(gpu, [1, 128], "i32");
    decoder.forward(prompt, cache).dispose();
    const before = { ...gpu.work };
    gpu.memory.resetPeak();
    const held = gpu.memoryUse.live + gpu.memoryUse.idle;
    using token = empty(gpu, [1, 1], "i32");
    using logits = decoder.forward(token, cache);
    expect(logits.shape).toEqual([1, decoder.vocabSize]);
    const [launches, flops] = [gpu.work.dispatches - before.dispatches, gpu.work.flops - before.flops];
    const activations = gpu.memoryUse.peak - held + gpu.memoryUse.idle;
    report.push(`${name.padEnd(28)} ${quantize ?? "f16"}  ${(bytes / GIB).toFixed(1).padStart(5)} GiB  ${(activations / 2 ** 20).toFixed(1)} MiB  ${launches} launches  ${(flops / 1e9).toFixed(2)} GFLOP`);
    expect(flops / model.active).toBeGreaterThan(1.7); // two for each parameter that a token meets, but for the embedding
    expect(flops / model.active).toBeLessThan(2.1);
  });
});

describe("in fewer bits", () => {
  /** The largest difference of a prompt's logits, relative to the largest of them. */
  async function errorOf(dtype: "f32" | "f16", quantize?: "q8"): Promise<number> {
    const gpu = await testGpu();
    const golden = await openGolden("causal-lm/mixtral", "model.safetensors");
    const { names, create } = await causalLmOf(golden.config);
    const weights = Weights.of(gpu, golden.checkpoint, { name: "mixtral", dtype, quantize, ...names });
    const model = create(weights);
    weights.finish();
    await weights.load();
    const value = (key: string): Values => golden.expected.get(key) ?? { shape: [], data: new Float32Array() };
    const [prompt, { shape, data }] = [value("input_ids").data, value("logits")];
    using ids = upload(gpu, Int32Array.from(prompt), [1, prompt.length], "i32");
    using cache = model.newCache(1);
    const error = await relativeError(model.forward(ids, cache, { logits: "all" }), { shape: [1, ...shape], data });
    gpu.destroy();
    return error;
  }

  it("stays near in f16 (skipped where the adapter has no shader-f16)", async ({ skip }) => {
    const gpu = await testGpu();
    const { f16 } = gpu.features;
    gpu.destroy();
    skip(!f16, "no shader-f16");
    expect(await errorOf("f16")).toBeLessThan(2e-2);
  }, 600_000);

  it("stays near with experts of 8 bits", async () => expect(await errorOf("f32", "q8")).toBeLessThan(1e-1), 600_000);
});

describe("refuses", () => {
  const config = readJson("causal-lm/qwen3-moe/config.json") as Record<string, unknown>;

  it.each([
    [{ num_experts_per_tok: 7 }, /"num_experts_per_tok" expected at most 6, got 7/],
    [{ mlp_only_layers: 1 }, /"mlp_only_layers" expected a list of layers, got 1/],
    [{ use_sliding_window: true }, /"use_sliding_window" expected false, got true/],
    [{ shared_expert_intermediate_size: 32 }, /"shared_expert_intermediate_size" \(32\) is not supported/],
  ])("%o", async (change, message) => {
    await expect(causalLmOf({ ...config, ...change })).rejects.toThrow(message);
  });
});
