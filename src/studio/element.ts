// <kiln-text-to-image prompt="red apple" model="emoji" steps="8">: the kiln for any page, in one file with its worker inside.
import { css, html, LitElement, unsafeCSS, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { TextToImageOptions, TextToImageResult } from "../pipelines/types.ts";
import { isSeed } from "../provenance/recipe.ts";
import type { SchedulerName } from "../schedulers/scheduler.ts";
import { workerPipeline } from "../worker/client.ts";
import InlineWorker from "../worker/worker.ts?worker&inline";
import { hubUrl } from "./model-choice.ts";
import { Session, type Activity } from "./session.ts";
import { schedulerLabels } from "./settings.ts";
import "./stage.ts";
import { base, controls } from "./styles.ts";
import tokens from "./tokens.css?inline";

/**
 * Attributes are those of the pipeline's options, shortened as on the command line; all are properties, too, and reflected.
 * Events, which bubble: `kiln-activity` (detail: where things stand, as `activity`), `kiln-result` (detail: the pictures),
 * `kiln-error` (detail: a problem in words).
 */
@customElement("kiln-text-to-image")
export class KilnTextToImage extends LitElement {
  static override styles = [
    unsafeCSS(tokens),
    base,
    controls,
    css`
      :host {
        container-type: inline-size;
        max-width: 30rem;
      }
      form {
        display: flex;
        gap: 0.5rem;
        margin-top: 1rem;
      }
    `,
  ];

  @property({ reflect: true }) prompt = "";
  @property({ reflect: true, attribute: "negative-prompt" }) negativePrompt = "";
  /** The id of a model below `base-url`, a folder's address, or owner/name on the Hub. */
  @property({ reflect: true }) model = "emoji";
  /** Where models/ lies; the page's own address if left out. */
  @property({ reflect: true, attribute: "base-url" }) baseUrl: string | null = null;
  /** Decimal; random if left out. */
  @property({ reflect: true }) seed: string | null = null;
  @property({ reflect: true, type: Number }) steps: number | null = null;
  @property({ reflect: true, type: Number }) guidance: number | null = null;
  @property({ reflect: true }) scheduler: SchedulerName | null = null;
  @property({ reflect: true, type: Number }) width: number | null = null;
  @property({ reflect: true, type: Number }) height: number | null = null;
  @property({ reflect: true, type: Number }) count = 1;
  /** "light" or "dark"; the system's choice if left out. */
  @property({ reflect: true }) theme: "light" | "dark" | null = null;

  readonly #session = new Session(this, (place, options) => workerPipeline(() => new InlineWorker({ name: "kiln" }), "text-to-image", place, options));
  #told: Activity = this.#session.activity;

  /** Where things stand. */
  get activity(): Activity {
    return this.#session.activity;
  }

  /** Makes pictures for the prompt. Resolves with null where that was cancelled or failed; `activity` says which. Throws RangeError for a malformed seed. */
  async generate(): Promise<TextToImageResult | null> {
    const pipelineOptions = { baseUrl: this.baseUrl ?? undefined, hubUrl };
    const result = await this.#session.run({ place: this.model, pipelineOptions, prompt: this.prompt, options: this.#options() });
    if (result !== null) this.#tell("kiln-result", result);
    else if (this.activity.phase === "failed") this.#tell("kiln-error", this.activity.problem);
    return result;
  }

  cancel(): void {
    this.#session.cancel();
  }

  #options(): TextToImageOptions {
    const { negativePrompt, seed, steps, guidance, scheduler, width, height, count } = this;
    if (seed !== null && !isSeed(seed)) throw new RangeError(`seed: a whole number in 0 … 2^64 − 1 expected, got "${seed}"`);
    if (scheduler !== null && !Object.hasOwn(schedulerLabels, scheduler)) throw new RangeError(`scheduler: one of ${Object.keys(schedulerLabels).join(", ")} expected, got "${scheduler}"`);
    return {
      negativePrompt,
      seed: seed === null ? undefined : BigInt(seed),
      numInferenceSteps: steps ?? undefined,
      guidanceScale: guidance ?? undefined,
      scheduler: scheduler ?? undefined,
      width: width ?? undefined,
      height: height ?? undefined,
      numImagesPerPrompt: count,
      previewEvery: 1,
    };
  }

  protected override updated(_changed: PropertyValues<this>): void {
    if (this.#told === this.activity) return;
    this.#told = this.activity;
    this.#tell("kiln-activity", this.activity);
  }

  #tell(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  protected override render() {
    const { busy, model } = this.#session;
    return html`
      <div @kiln-change=${this.#take} @kiln-generate=${this.#start} @kiln-cancel=${this.#stop}>
        <kiln-stage .activity=${this.activity} .examples=${model?.card?.examples ?? []}></kiln-stage>
        <form @submit=${this.#start}>
          <input type="text" aria-label="Prompt" placeholder="red apple" maxlength="1000" .value=${this.prompt} @input=${(event: Event) => (this.prompt = (event.target as HTMLInputElement).value)} />
          <button class="button primary" ?disabled=${busy}>Generate</button>
        </form>
      </div>
    `;
  }

  /** The stage's own events stay inside. */
  #take(event: CustomEvent<{ readonly prompt?: string }>): void {
    event.stopPropagation();
    this.prompt = event.detail.prompt ?? this.prompt;
  }

  #start(event: Event): void {
    event.preventDefault();
    event.stopPropagation();
    if (this.prompt.trim() !== "") void this.generate();
  }

  #stop(event: Event): void {
    event.stopPropagation();
    this.cancel();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "kiln-text-to-image": KilnTextToImage;
  }
}
