// Tasks by name: what each takes and gives, so that a pipeline keeps its exact types wherever it runs.
import type { Chat } from "./chat-types.ts";
import type { TextGenerationOptions, TextGenerationResult, TextGenerator, TextInput, TextLoadOptions, TextModelInfo, TextPiece, TextPlanSize } from "./text-generation-types.ts";
import type { Generation, MemoryPlan, ModelInfo, PipelineOptions, TextToImageOptions, TextToImagePipeline, TextToImageResult, TextToImageStep } from "./types.ts";

/** The data of each task. A new one joins here, in `Pipelines`, and in pipeline.ts. */
export interface Tasks {
  "text-to-image": {
    readonly input: string;
    readonly options: TextToImageOptions;
    readonly step: TextToImageStep;
    readonly result: TextToImageResult;
    readonly model: ModelInfo;
    readonly size: Pick<TextToImageOptions, "width" | "height" | "numImagesPerPrompt" | "guidanceScale">;
    readonly loading: PipelineOptions;
  };
  "text-generation": {
    readonly input: TextInput;
    readonly options: TextGenerationOptions;
    readonly step: TextPiece;
    readonly result: TextGenerationResult;
    readonly model: TextModelInfo;
    readonly size: TextPlanSize;
    readonly loading: TextLoadOptions;
  };
}

export type Task = keyof Tasks;

/** What every pipeline can do, for one task. */
export interface TaskPipeline<T extends Task> {
  (input: Tasks[T]["input"], options?: Tasks[T]["options"]): Generation<Tasks[T]["step"], Tasks[T]["result"]>;
  readonly model: Tasks[T]["model"];
  plan(size?: Tasks[T]["size"]): Promise<MemoryPlan>;
  dispose(): Promise<void>;
}

/** `pipeline("text-generation")`: also with the face that OpenAI's clients know. */
export interface TextGenerationPipeline extends TextGenerator {
  readonly chat: Chat;
}

/** What `pipeline(task)` gives. */
export interface Pipelines {
  "text-to-image": TextToImagePipeline;
  "text-generation": TextGenerationPipeline;
}
