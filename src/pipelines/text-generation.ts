// Text generation with a language model: a text or a conversation in, its continuation out piece by piece.
import type { CausalLm } from "../architectures/causal-lm.ts";
import { DEFAULT_LIMITS, Gpu, type Limits } from "../gpu/gpu.ts";
import { type GpuLease, leaseGpu } from "../gpu/shared.ts";
import type { ModelFolder } from "../hub/folder.ts";
import { type ModelLocation, openModel } from "../hub/open.ts";
import { type LoadProgress, ProgressMeter } from "../hub/progress.ts";
import { Sampler } from "../sampling/sampler.ts";
import { generation } from "./generation.ts";
import { type BuiltModel, buildLanguageModel, type LanguageModelFiles, openLanguageModel, type WeightChoice } from "./language-model.ts";
import { chooseDtype, whole } from "./loading.ts";
import { readModelCard } from "./model-card.ts";
import { forward } from "./text-generation-decode.ts";
import { readTextRequest } from "./text-generation-request.ts";
import { type Conversation, runText } from "./text-generation-run.ts";
import type { TextGenerationOptions, TextGenerationResult, TextGenerator, TextInput, TextLoadOptions, TextModelInfo, TextPiece, TextPlanSize } from "./text-generation-types.ts";
import { Turns } from "./turns.ts";
import type { MemoryPlan, ModelCard } from "./types.ts";

/** For a blueprint: what is built on it is only looked at. */
const BOUNDLESS: Limits = { ...DEFAULT_LIMITS, maxBufferSize: Infinity, maxStorageBufferBindingSize: Infinity };

/** Tokens of context that a plan counts unless told otherwise. */
const PLANNED_CONTEXT = 1024;

/** Activations of these pass f16's range. */
const WIDE = /^gemma/;

/** A network on a device, its claim on that device, and the last conversation. */
interface Session extends BuiltModel {
  readonly lease: GpuLease;
  conversation: Conversation | null;
}

/** Loads a text-generation pipeline in this thread. Throws HubError, FormatError, ConfigError, CheckpointError, GpuError, or the signal's reason. */
export async function loadTextGeneration(location: ModelLocation, options: TextLoadOptions = {}): Promise<TextGenerator> {
  const { signal, onProgress } = options;
  const pipe = await openTextGeneration(location, options);
  await pipe.open(signal);
  onProgress?.({ status: "ready", name: pipe.folder.id, loaded: 0, total: 0, bytesPerSecond: null, secondsLeft: 0 });
  const call = (input: TextInput, callOptions: TextGenerationOptions = {}) => generation(pipe.generate(input, callOptions));
  return Object.assign(call, { model: pipe.info, plan: pipe.plan.bind(pipe), dispose: pipe.dispose.bind(pipe) });
}

/** Memory that a context would need, from config and headers alone: no GPU is asked. Default f32, at WebGPU's guaranteed limits. Throws as loading does. */
export async function planTextGeneration(location: ModelLocation, { dtype = "f32", quantize, ...size }: TextPlanSize & Pick<TextLoadOptions, "quantize"> & { readonly dtype?: "f32" | "f16" } = {}): Promise<MemoryPlan> {
  const pipe = await openTextGeneration(location, { quantize });
  return pipe.planOn(new Gpu(null, DEFAULT_LIMITS, { f16: dtype === "f16", subgroups: false, timestamps: false }), dtype, size);
}

async function openTextGeneration(location: ModelLocation, options: TextLoadOptions): Promise<TextGeneration> {
  const { signal, onProgress, baseUrl, hubUrl, revision, cache } = options;
  const report = ({ status, file, ...bytes }: LoadProgress) => {
    if (status === "download") onProgress?.({ status, name: file, ...bytes }); // what is read from disk or cache is counted on its way to the GPU
  };
  const folder = await openModel(location, { baseUrl, hubUrl, revision, cache, signal, onProgress: report });
  const [files, card] = await Promise.all([openLanguageModel(folder, { signal }), readModelCard(folder)]);
  const blueprint = buildLanguageModel(new Gpu(null, BOUNDLESS, { f16: true, subgroups: false, timestamps: false }), files, { dtype: "f32" }); // says what does not fit before a GPU is asked for
  return new TextGeneration(folder, files, blueprint.model, card, options);
}

class TextGeneration {
  #session: Promise<Session> | null = null;
  #info: TextModelInfo | null = null;
  readonly #end = new AbortController();
  readonly #turns = new Turns();
  /** Tokens that a context may hold. */
  readonly maxContext: number;
  readonly #running = new Set<AsyncGenerator<TextPiece, TextGenerationResult, void>>();

  constructor(
    readonly folder: ModelFolder,
    readonly files: LanguageModelFiles,
    readonly blueprint: Pick<CausalLm, "vocabSize" | "maxPositions">,
    readonly card: ModelCard | null,
    readonly options: TextLoadOptions,
  ) {
    this.maxContext = Math.min(options.maxContext ?? Infinity, blueprint.maxPositions);
  }

  get info(): TextModelInfo {
    if (!this.#info) throw new Error("text-generation: not loaded");
    return this.#info;
  }

  /** The network on a working device: loaded now, or again where the device has failed since. */
  async open(signal?: AbortSignal): Promise<Session> {
    this.#end.signal.throwIfAborted();
    const before = this.#session;
    const session = await before?.catch(() => null);
    if ((!session || session.model.gpu.error) && this.#session === before) {
      session?.lease.release();
      this.#session = this.#load(signal);
    }
    return this.#session ?? this.open(signal);
  }

  /** Memory that a context of this size needs, from the headers alone. Throws GpuError where the device cannot. */
  async plan(size: TextPlanSize = {}): Promise<MemoryPlan> {
    const { model } = await this.open();
    return this.planOn(model.gpu, this.info.dtype === "f16" ? "f16" : "f32", size);
  }

  /** The same for a device of these limits. */
  planOn(gpu: Gpu, dtype: "f32" | "f16", size: TextPlanSize): MemoryPlan {
    return this.#rehearse(gpu, { dtype, quantize: this.#quantize }, size).plan;
  }

  /** Runs when its turn has come; see runText. */
  async *generate(input: TextInput, options: TextGenerationOptions): AsyncGenerator<TextPiece, TextGenerationResult, void> {
    const run = this.#run(input, options);
    this.#running.add(run);
    try {
      const result = yield* run;
      this.#end.signal.throwIfAborted(); // one that was ended by `dispose` has no result
      return result;
    } finally {
      this.#running.delete(run);
    }
  }

  async *#run(input: TextInput, options: TextGenerationOptions): AsyncGenerator<TextPiece, TextGenerationResult, void> {
    const { files, maxContext } = this;
    const { signal } = options;
    signal?.throwIfAborted();
    const request = readTextRequest(input, options, { ...files, maxContext });
    const done = await this.#turns.take(signal ? AbortSignal.any([signal, this.#end.signal]) : this.#end.signal);
    try {
      const session = await this.open(signal);
      return yield* runText({
        request, files, maxContext, model: session.model, disposed: this.#end.signal,
        take() {
          const { conversation } = session;
          session.conversation = null;
          return conversation;
        },
        keep: (kept) => (session.conversation = kept),
      });
    } finally {
      done();
    }
  }

  /** Ends what runs, whether or not anybody waits for it, then frees everything. */
  async dispose(): Promise<void> {
    this.#end.abort(new DOMException("The pipeline was disposed", "AbortError"));
    await Promise.all([...this.#running].map((run) => run.throw(this.#end.signal.reason).catch(() => {})));
    const session = await this.#session?.catch(() => null);
    this.#session = null;
    if (!session) return;
    session.conversation?.cache.dispose();
    session.weights.dispose();
    session.lease.release();
    await this.files.checkpoint.close();
  }

  async #load(signal?: AbortSignal): Promise<Session> {
    const { onProgress } = this.options;
    const lease = await leaseGpu({ device: this.options.device });
    const { gpu } = lease;
    const stop = new AbortController();
    let built: BuiltModel | null = null;
    try {
      const choice = this.#choice(gpu);
      const { plan, planner } = this.#rehearse(gpu, choice, {});
      this.#info = this.#describe(gpu, choice, plan);
      built = buildLanguageModel(gpu, this.files, choice);
      const meter = new ProgressMeter("load", ({ file, status: _, ...bytes }) => onProgress?.({ status: "upload", name: file, ...bytes }));
      const compiling = gpu.pipelines.compile(planner.pipelines.wanted, (loaded, total) => {
        onProgress?.({ status: "compile", name: "kernels", loaded, total, bytesPerSecond: null, secondsLeft: null });
      });
      let before = 0;
      const streaming = built.weights.load({
        signal: AbortSignal.any([stop.signal, this.#end.signal, ...(signal ? [signal] : [])]),
        onProgress: (loaded, total) => {
          if (before === 0) meter.expect(this.folder.id, total);
          meter.advance(this.folder.id, loaded - before);
          before = loaded;
        },
      });
      await whole([compiling, streaming], () => stop.abort());
      return { ...built, lease, conversation: null };
    } catch (error) {
      if (!gpu.error) built?.weights.dispose();
      lease.release();
      throw error;
    }
  }

  #choice(gpu: Gpu): WeightChoice {
    const { dtype = "auto" } = this.options;
    return { quantize: this.#quantize, dtype: dtype === "auto" && WIDE.test(this.files.architecture) ? "f32" : chooseDtype(gpu, dtype) };
  }

  get #quantize(): WeightChoice["quantize"] {
    const { quantize = "none" } = this.options;
    return quantize === "none" ? undefined : quantize;
  }

  #describe(gpu: Gpu, { dtype }: WeightChoice, memory: MemoryPlan): TextModelInfo {
    const { folder: { id, revision }, files, blueprint: { vocabSize }, maxContext, card } = this;
    const { architecture, hasTemplate: chat, defaults } = files;
    return { id, revision, architecture, dtype, adapter: gpu.adapterName, vocabSize, maxContext, chat, defaults, memory, card };
  }

  /** The work of a generation on a planner: what it would hold, which kernels it needs. */
  #rehearse(gpu: Gpu, choice: WeightChoice, { contextLength = Math.min(this.maxContext, PLANNED_CONTEXT), batch = 1 }: TextPlanSize): { plan: MemoryPlan; planner: Gpu } {
    if (!(Number.isInteger(contextLength) && contextLength > 0 && contextLength <= this.maxContext)) throw new RangeError(`contextLength: 1 to ${this.maxContext} tokens expected, got ${contextLength}`);
    const planner = gpu.planner();
    const { model } = buildLanguageModel(planner, this.files, choice);
    const weights = planner.memoryUse.live;
    const cache = model.newCache(batch, { capacity: contextLength });
    const cacheBytes = planner.memoryUse.live - weights;
    const zeros = (tokens: number) => new Array<Int32Array>(batch).fill(new Int32Array(tokens));
    for (const doSample of [false, true]) {
      const sampler = new Sampler(planner, { vocabSize: model.vocabSize, batch, ...this.files.defaults, doSample });
      sampler.begin(zeros(1));
      for (const tokens of [Math.min(contextLength, 512), 5, 1]) { // a chunk of a long prompt, a short one, a token
        cache.truncate(0);
        cache.advance(contextLength - tokens);
        using logits = forward(model, cache, zeros(tokens), "last");
        sampler.next(logits).dispose();
      }
      sampler.dispose();
    }
    const { peak, largest } = planner.memoryUse;
    return { plan: { weights, cache: cacheBytes, largestActivation: largest, peak }, planner };
  }
}
