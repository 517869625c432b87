// The headless command as a user calls it: transformers' tokens, files with all there is to know, and every mistake in one line.
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensorOf } from "../pipelines/golden.ts";

const KILN = fileURLToPath(new URL("../../tools/kiln.mjs", import.meta.url));
const GOLDEN = fileURLToPath(new URL("../reference/golden/text-generation/", import.meta.url));
const LLAMA = join(GOLDEN, "llama");
const QWEN = join(GOLDEN, "qwen3");

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function kiln(...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [KILN, "text-generation", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => (stdout += text));
    child.stderr.on("data", (text) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

interface Golden {
  readonly calls: readonly { readonly input: unknown; readonly tokens?: readonly number[]; readonly promptTokens?: readonly number[]; readonly text?: string }[];
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kiln-cli-text-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("a run", () => {
  it("prints transformers' text, and writes tokens, usage and the prompt's logits", async () => {
    const { calls: [call] } = JSON.parse(await readFile(`${LLAMA}.json`, "utf8")) as Golden;
    const [out, tensors] = [join(folder, "a/out.json"), join(folder, "logits.safetensors")];
    const { code, stdout, stderr } = await kiln("--model", LLAMA, "--prompt", String(call.input), "--greedy", "--max-tokens", "24", "--out", out, "--tensors", tensors);
    expect(code, stderr).toBe(0);
    expect(stdout).toBe(`${call.text}\n`);
    const report = JSON.parse(await readFile(out, "utf8")) as Record<string, unknown>;
    expect(report).toMatchObject({ text: call.text, tokens: call.tokens, promptTokens: call.promptTokens, finishReason: "length", usage: { completionTokens: 24 } });
    const { shape } = await tensorOf(tensors, "logits");
    expect(shape).toEqual([call.promptTokens?.length, 320]);
    expect(stderr).toMatch(/24 written/);
  });

  it("answers a chat message, and keeps to a schema", async () => {
    const schema = join(folder, "schema.json");
    await writeFile(schema, JSON.stringify({ type: "object", properties: { name: { type: "string", maxLength: 5 } }, required: ["name"] }));
    const { code, stdout, stderr } = await kiln("--model", QWEN, "--prompt", "Who?", "--chat", "--system", "You are a fox.", "--json-schema", schema, "--max-tokens", "40", "--temperature", "0.8", "--seed", "3");
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ name: expect.any(String) });
    expect(stderr).toMatch(/seed 3$/m);
  });
});

/** Mistakes that are told before any work: code 2, one line. */
async function expectRefusal(args: readonly string[], line: RegExp): Promise<void> {
  const { code, stdout, stderr } = await kiln(...args);
  const told = stderr.trimEnd().split("\n").filter((text) => text.startsWith("kiln: "));
  expect(told, stderr).toEqual([expect.stringMatching(line)]);
  expect(stderr).not.toMatch(/^\s+at /m); // no stack
  expect(code).toBe(2);
  expect(stdout).toBe("");
}

describe("refuses in one line, with code 2", () => {
  const model = ["--model", LLAMA, "--prompt", "x"];

  it.each([
    ["no model", ["--prompt", "x"], /needs --model/],
    ["no prompt", ["--model", LLAMA], /needs --prompt/],
    ["an unknown flag", [...model, "--beams", "4"], /'--beams'.*--help/],
    ["a value for a switch", [...model, "--greedy=no"], /--greedy/],
    ["no number", [...model, "--max-tokens", "many"], /--max-tokens expects a whole number of at least 1, got "many"/],
    ["an unknown packing", [...model, "--quantize", "q2"], /--quantize expects none, q8, q4; got "q2"/],
    ["no such model", ["--model", "nosuch", "--prompt", "x"], /--model "nosuch": there is no such folder/],
    ["another kind of file", ["--model", `${LLAMA}.json`, "--prompt", "x"], /this is a file; a model's folder or a \.gguf file expected/],
    ["a model of pictures", ["--model", fileURLToPath(new URL("../reference/golden/text-to-image/sd1", import.meta.url)), "--prompt", "x"], /there is no config\.json/],
    ["no such schema", [...model, "--json-schema", join(tmpdir(), "nosuch.json")], /--json-schema .*: cannot be read \(ENOENT\)/],
    ["a schema that is no JSON", [...model, "--json-schema", KILN], /this is no JSON/],
    ["a folder to write to", [...model, "--out", tmpdir()], /--out .*: this is a folder/],
  ] as const)("%s", (_, args, line) => expectRefusal(args, line));

  it("an architecture that is not supported", async () => {
    const copy = join(folder, "other");
    await cp(LLAMA, copy, { recursive: true });
    const config = JSON.parse(await readFile(join(copy, "config.json"), "utf8")) as Record<string, unknown>;
    await writeFile(join(copy, "config.json"), JSON.stringify({ ...config, model_type: "mamba" }));
    await expectRefusal(["--model", copy, "--prompt", "x"], /model_type.*got "mamba"/);
  });

  it("a damaged GGUF file", async () => {
    const file = join(folder, "damaged.gguf");
    await writeFile(file, "GGUF\x03\0\0\0");
    await expectRefusal(["--model", file, "--prompt", "x"], /damaged\.gguf: /);
  });
});
