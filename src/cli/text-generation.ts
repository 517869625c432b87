// kiln text-generation: a prompt or a chat message becomes text on stdout as it comes, with all there is to know of it in a file where asked for.
import { readFile } from "node:fs/promises";
import { writeSafetensors } from "../formats/safetensors.ts";
import { loadPipeline } from "../pipelines/pipeline.ts";
import type { ResponseFormat, TextGenerationOptions, TextGenerationResult } from "../pipelines/text-generation-types.ts";
import { decimal, oneOf, parseFlags, seedNumber, UsageError, wholeNumber } from "./flags.ts";
import { openLocalModel } from "./models.ts";
import { expectWritable, writeOut } from "./output.ts";
import { endProgress, showLoading } from "./progress.ts";
import { installWebGpu } from "./webgpu.ts";

const FLAGS = [
  "model", "prompt", "system", "max-tokens", "temperature", "top-k", "top-p", "min-p", "repetition-penalty", "seed", "stop", "json-schema", "prompt-lookup",
  "context", "quantize", "dtype", "tensors", "out",
] as const;
const SWITCHES = ["chat", "greedy"] as const;

export const textGenerationUsage = `kiln text-generation --model <folder or file.gguf> --prompt <text> [--chat] [--system <text>] [--max-tokens <n>] [--greedy]
  [--temperature <t>] [--top-k <n>] [--top-p <p>] [--min-p <p>] [--repetition-penalty <r>] [--seed <n>] [--stop <text>]
  [--json-schema <file.json>] [--prompt-lookup <tokens>] [--context <tokens>] [--quantize none|q8|q4] [--dtype f32|f16]
  [--tensors <file.safetensors>] [--out <file.json>]`;

/** Runs the command. Throws UsageError for wrong flags, and what the pipeline throws. */
export async function textGeneration(args: readonly string[], signal: AbortSignal): Promise<void> {
  const flags = parseFlags(args, FLAGS, SWITCHES);
  if (flags.model === undefined) throw new UsageError("text-generation needs --model");
  if (flags.prompt === undefined) throw new UsageError("text-generation needs --prompt");
  const { prompt, tensors, out, greedy = false } = flags;
  const exact = greedy || tensors !== undefined;
  const dtype = oneOf("dtype", flags.dtype, ["f32", "f16"]) ?? (exact ? "f32" : "auto");
  const quantize = oneOf("quantize", flags.quantize, ["none", "q8", "q4"]);
  const lookup = wholeNumber("prompt-lookup", flags["prompt-lookup"], 1);
  const warpers = {
    temperature: decimal("temperature", flags.temperature),
    topK: wholeNumber("top-k", flags["top-k"], 0),
    topP: decimal("top-p", flags["top-p"]),
    minP: decimal("min-p", flags["min-p"]),
  };
  const options: TextGenerationOptions = {
    ...warpers,
    doSample: greedy ? false : Object.values(warpers).some((value) => value !== undefined) ? true : undefined,
    maxNewTokens: wholeNumber("max-tokens", flags["max-tokens"], 1),
    repetitionPenalty: decimal("repetition-penalty", flags["repetition-penalty"]),
    seed: seedNumber("seed", flags.seed),
    stopStrings: flags.stop === undefined ? undefined : [flags.stop],
    promptLookup: lookup === undefined ? undefined : { numTokens: lookup },
    responseFormat: flags["json-schema"] === undefined ? undefined : await schemaIn(flags["json-schema"]),
    returnLogits: tensors !== undefined,
    signal,
  };
  const system = flags.system === undefined ? [] : [{ role: "system", content: flags.system }];
  const input = flags.chat || flags.system !== undefined ? [...system, { role: "user", content: prompt }] : prompt;

  for (const [flag, file] of Object.entries({ out, tensors })) if (file !== undefined) await expectWritable(flag, file);
  const folder = await openLocalModel(flags.model);
  installWebGpu();
  const pipe = await loadPipeline("text-generation", folder, { dtype, quantize, maxContext: wholeNumber("context", flags.context, 1), signal, onProgress: showLoading });
  endProgress();
  const work = pipe(input, options);
  for await (const { text } of work) process.stdout.write(text);
  process.stdout.write("\n");
  signal.throwIfAborted();
  const result = await work;
  for (const warning of result.warnings) process.stderr.write(`${warning}\n`);
  if (out !== undefined) await writeOut(out, reportOf(result), process.stderr);
  if (tensors !== undefined && result.logits) {
    const { shape, data } = result.logits;
    await writeOut(tensors, writeSafetensors({ logits: { dtype: "F32", shape: [...shape], data } }), process.stderr);
  }
  process.stderr.write(`${summaryOf(result)}\n`);
  await pipe.dispose();
}

/** A JSON schema's file. Throws UsageError. */
async function schemaIn(file: string): Promise<ResponseFormat> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new UsageError(`--json-schema ${file}: cannot be read (${error instanceof Error && "code" in error ? String(error.code) : String(error)})`);
  });
  try {
    return { type: "json_schema", schema: JSON.parse(text) as unknown };
  } catch (error) {
    throw new UsageError(`--json-schema ${file}: this is no JSON (${error instanceof Error ? error.message : String(error)})`);
  }
}

function reportOf({ text, tokens, promptTokens, finishReason, usage }: TextGenerationResult): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ text, tokens, promptTokens, finishReason, usage }, null, 1)}\n`);
}

function summaryOf({ seed, finishReason, usage }: TextGenerationResult): string {
  const speed = (tokensPerSecond: number | null) => (tokensPerSecond === null ? "" : ` at ${tokensPerSecond.toFixed(1)} tokens/s`);
  const { promptTokens, prefillTokensPerSecond, completionTokens, decodeTokensPerSecond } = usage;
  return `${promptTokens} tokens read${speed(prefillTokensPerSecond)}, ${completionTokens} written${speed(decodeTokensPerSecond)} (${finishReason}), seed ${seed}`;
}
