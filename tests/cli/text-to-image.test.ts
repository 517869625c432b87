// The headless command as a user calls it: diffusers' pictures, marked PNG files, and every mistake in one line.
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inspect } from "../../src/provenance/inspect.ts";
import { type Call, GOLDEN, golden, largestDifference, models, tensorOf } from "../pipelines/golden.ts";

const KILN = fileURLToPath(new URL("../../tools/kiln.mjs", import.meta.url));
const SD1 = join(GOLDEN, "sd1");

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command; interrupted (Ctrl-C) once stderr says `until`. */
function kiln(args: readonly string[], until?: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [KILN, "text-to-image", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => (stdout += text));
    child.stderr.on("data", (text) => {
      const before = stderr;
      stderr += text;
      if (until !== undefined && stderr.includes(until) && !before.includes(until)) child.kill("SIGINT");
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** A call's options as flags. */
function flagsOf({ prompt, negativePrompt, seed, numInferenceSteps, guidanceScale, scheduler, width, height, numImagesPerPrompt }: Call): string[] {
  const flags = { prompt, "negative-prompt": negativePrompt, seed, steps: numInferenceSteps, guidance: guidanceScale, scheduler, width, height, count: numImagesPerPrompt };
  return Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)]));
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kiln-cli-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(models)("%s", (name) => {
  it("gives diffusers' pictures", async () => {
    const [{ call, pictures }] = (await golden(name)).slice(-1);
    const file = join(folder, "out.safetensors");
    const { code, stderr } = await kiln(["--model", join(GOLDEN, name), ...flagsOf(call), "--tensors", file]);
    expect(code, stderr).toBe(0);
    const { shape, values } = await tensorOf(file, "image");
    expect([shape.length, shape[0], shape[3]]).toEqual([4, call.numImagesPerPrompt ?? 1, 3]);
    expect(largestDifference(values, pictures), JSON.stringify(call)).toBeLessThan(2e-3);
  });
});

describe("a run", () => {
  it("writes each picture as a PNG that says how it was made", async () => {
    const { code, stdout, stderr } = await kiln(["--model", SD1, "--prompt", "a café", "--seed", "18446744073709551615", "--steps", "2", "--count", "2", "--width", "24", "--height", "8", "--out", join(folder, "a/b/x.png")]);
    expect(code, stderr).toBe(0);
    expect(stdout.trim().split("\n")).toEqual([1, 2].map((n) => join(folder, `a/b/x-${n}.png`)));
    const { recipe, digitalSourceType } = await inspect(new Blob([await readFile(join(folder, "a/b/x-2.png"))]));
    expect(recipe).toMatchObject({ model: "sd1", prompt: "a café", seed: "18446744073709551615", numInferenceSteps: 2, index: 1, count: 2, width: 24, height: 8 });
    expect(digitalSourceType).toMatch(/trainedAlgorithmicMedia$/);
    expect(stderr).toMatch(/^step 3 of 3/m); // PNDM's second step comes twice
    expect(await readdir(join(folder, "a/b"))).toHaveLength(2);
  });

  it("ends when interrupted, and leaves nothing behind", async () => {
    const file = join(folder, "interrupted.png");
    const { code, stderr } = await kiln(["--model", SD1, "--prompt", "cat", "--steps", "900", "--out", file], "step 1 of");
    expect(code).toBe(130);
    expect(stderr).toMatch(/kiln: Interrupted\n$/);
    expect(await readdir(folder)).not.toContain("interrupted.png");
  });

  it("takes another scheduler where the checkpoint's own is not ours", async () => {
    const model = await damaged((path) => edit(path, "model_index.json", { scheduler: ["diffusers", "HeunDiscreteScheduler"] }));
    const args = ["--model", model, "--prompt", "cat", "--steps", "1", "--out", join(folder, "heun.png")];
    expect(await kiln(args)).toMatchObject({ code: 2, stderr: expect.stringMatching(/kiln: scheduler: "HeunDiscreteScheduler" is not supported; choose one of ddim, /) });
    expect(await kiln([...args, "--scheduler", "euler"])).toMatchObject({ code: 0 });
  });
});

/** A copy of a model, changed. */
async function damaged(change: (path: string) => Promise<unknown>): Promise<string> {
  const path = await mkdtemp(join(folder, "model-"));
  await cp(SD1, path, { recursive: true });
  await change(path);
  return path;
}

async function edit(path: string, file: string, keys: Record<string, unknown>): Promise<void> {
  const config = JSON.parse(await readFile(join(path, file), "utf8")) as Record<string, unknown>;
  await writeFile(join(path, file), JSON.stringify({ ...config, ...keys }));
}

const UNET = "unet/diffusion_pytorch_model.safetensors";
const CONFIG = "unet/config.json";
const TOKENIZER = "tokenizer/tokenizer_config.json";

async function shorten(path: string): Promise<void> {
  const bytes = await readFile(join(path, UNET));
  await writeFile(join(path, UNET), bytes.subarray(0, bytes.length - 1));
}

/** Mistakes that are told before any work: code 2, one line, no file. */
async function expectRefusal(args: readonly string[], line: RegExp): Promise<void> {
  const out = join(folder, "refused");
  await mkdir(out, { recursive: true });
  const { code, stderr } = await kiln(["--steps", "1", "--out", join(out, "x.png"), ...args]);
  const told = stderr.trimEnd().split("\n").filter((text) => text.startsWith("kiln: "));
  expect(told, stderr).toEqual([expect.stringMatching(line)]);
  expect(stderr.endsWith(`${told[0]}\n`)).toBe(true);
  expect(stderr).not.toMatch(/^\s+at /m); // no stack
  expect(code).toBe(2);
  expect(await readdir(out)).toEqual([]);
}

describe("refuses in one line, with code 2", () => {
  const cat = ["--prompt", "cat"];

  it.each([
    ["no prompt", ["--seed", "1"], /needs --prompt/],
    ["an unknown flag", [...cat, "--colour", "red"], /'--colour'.*--help/],
    ["a flag without its value", ["--prompt"], /--prompt/],
    ["a value that looks like a flag", [...cat, "--guidance", "-1"], /'--guidance=-XYZ'/],
    ["stray words", [...cat, "apple"], /'apple'/],
    ["no number", [...cat, "--steps", "many"], /--steps expects a whole number of at least 1, got "many"/],
    ["too large a seed", [...cat, "--seed", "18446744073709551616"], /--seed expects/],
    ["an unknown scheduler", [...cat, "--scheduler", "heun"], /--scheduler expects ddim, .*; got "heun"/],
    ["another kind of file", [...cat, "--out", "x.jpg"], /--out expects a \.png file/],
    ["a folder to write to", [...cat, "--tensors", tmpdir()], /--tensors .*: this is a folder/],
    ["a place below a file", [...cat, "--out", join(SD1, "model_index.json/x.png")], /x\.png: cannot be written/],
    ["no such model", [...cat, "--model", "nosuch"], /--model "nosuch": there is no such folder/],
    ["an address", [...cat, "--model", "https://example.org/x"], /--model "https:.*": there is no such folder/],
    ["a file as a model", [...cat, "--model", join(SD1, "model_index.json")], /this is a file/],
    ["a part of a model", [...cat, "--model", join(SD1, "unet")], /model_index\.json is missing/],
    ["a size that is no multiple of 8", [...cat, "--model", SD1, "--width", "20"], /width: a positive multiple of 8 expected, got 20/],
    ["a size that no device holds", [...cat, "--model", SD1, "--width", "800000", "--height", "800000"], /needs a buffer of \d+ bytes/],
  ] as const)("%s", (_, args, line) => expectRefusal(args, line));

  it.each([
    ["a missing config", (path: string) => rm(join(path, CONFIG)), /unet\/config\.json is missing/],
    ["a config that is no JSON", (path: string) => writeFile(join(path, CONFIG), "{"), /unet\/config\.json is no JSON/],
    ["missing weights", (path: string) => rm(join(path, UNET)), /there is no unet\/diffusion_pytorch_model\.safetensors/],
    ["pickled weights", (path: string) => rename(join(path, UNET), join(path, "unet/diffusion_pytorch_model.bin")), /only .*\.bin, a pickle/],
    ["truncated weights", shorten, /unet\/.*: the file ends 1 bytes before its last tensor does/],
    ["another part's weights", (path: string) => cp(join(path, "vae/diffusion_pytorch_model.safetensors"), join(path, UNET)), /unet: the checkpoint does not fit its config: missing conv_in\.weight/],
    ["a key that is not supported", (path: string) => edit(path, CONFIG, { class_embed_type: "timestep" }), /"class_embed_type" \("timestep"\) is not supported/],
    ["another pipeline", (path: string) => edit(path, "model_index.json", { _class_name: "StableDiffusionXLPipeline" }), /names StableDiffusionXLPipeline; text-to-image runs/],
    ["another class of a part", (path: string) => edit(path, "model_index.json", { vae: ["diffusers", "VQModel"] }), /names VQModel as its vae/],
    ["no tokenizer", (path: string) => rm(join(path, "tokenizer"), { recursive: true }), /tokenizer: neither tokenizer\.json nor vocab\.json/],
    ["a tokenizer of longer texts", (path: string) => edit(path, TOKENIZER, { model_max_length: 77 }), /77 tokens .* text_encoder reads 16/],
    ["damaged counts", (path: string) => edit(path, CONFIG, { layers_per_block: 1e9 }), /"layers_per_block" expected/],
  ] as const)("%s", async (_, change, line) => expectRefusal([...cat, "--model", await damaged(change)], line));
});
