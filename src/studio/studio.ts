// <kiln-studio>: the page. Holds settings, session and gallery, hands them down, and answers what its parts report.
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { keepStorage } from "../hub/cache.ts";
import type { FirstLook } from "../worker/look.ts";
import { spawnWorker } from "../worker/spawn.ts";
import "./about.ts";
import { workerEngine, type Engine } from "./engine.ts";
import type { StudioEvent } from "./events.ts";
import { GalleryController } from "./gallery-controller.ts";
import "./gallery.ts";
import "./header.ts";
import { icon } from "./icons.ts";
import { loadChoice, type ModelChoice, placeOf, saveChoice } from "./model-choice.ts";
import "./model-panel.ts";
import type { KilnModelPanel } from "./model-panel.ts";
import "./origin-dialog.ts";
import "./picture-dialog.ts";
import type { KilnPicture } from "./picture-dialog.ts";
import "./prompt-form.ts";
import type { KilnPrompt } from "./prompt-form.ts";
import { Session } from "./session.ts";
import "./settings-panel.ts";
import { callOf, loadSettings, saveSettings, settingsOf, type Settings } from "./settings.ts";
import "./stage.ts";
import { studioStyles } from "./studio-styles.ts";
import { base, controls } from "./styles.ts";
import { isDark, nextTheme, showTheme } from "./theme.ts";
import "./unsupported.ts";
import { formatBytes, problemOf } from "./words.ts";

const examples = ["red apple", "красное яблоко", "rocket", "спящая кошка", "birthday cake", "синий кит", "house with garden", "осенний лист", "snowman", "радуга"];

@customElement("kiln-studio")
export class KilnStudio extends LitElement {
  static override styles = [base, controls, studioStyles];

  /** Where pictures come from; tests put in another. */
  @property({ attribute: false }) engine: Engine = workerEngine(spawnWorker);

  @state() private settings: Settings = loadSettings();
  @state() private choice: ModelChoice = loadChoice();
  @state() private look: FirstLook | null = null;
  /** Why there is no WebGPU, in words; null while there is. */
  @state() private unsupported: string | null = null;
  @state() private dropping = false;

  @query("kiln-model-panel") private modelPanel!: KilnModelPanel;
  @query("kiln-picture") private pictureDialog!: KilnPicture;
  @query("kiln-prompt") private promptForm!: KilnPrompt;

  readonly #session = new Session(this, (place, options) => this.engine.load(place, options));
  readonly #gallery = new GalleryController(this);

  override connectedCallback(): void {
    super.connectedCallback();
    showTheme(this.settings.theme);
    addEventListener("keydown", this.#onKey);
    addEventListener("dragover", this.#onDrag);
    addEventListener("dragleave", this.#onDrag);
    addEventListener("drop", this.#onDrop);
    void this.#start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("keydown", this.#onKey);
    removeEventListener("dragover", this.#onDrag);
    removeEventListener("dragleave", this.#onDrag);
    removeEventListener("drop", this.#onDrop);
  }

  /** Finds out whether there is WebGPU, and loads a model that this browser holds already. */
  async #start(): Promise<void> {
    try {
      await this.engine.support();
    } catch (error) {
      this.unsupported = problemOf(error).detail;
      return;
    }
    await this.#lookAtModel();
    if (this.look?.cached) await this.#session.prepare(this.#model());
  }

  async #lookAtModel(): Promise<void> {
    this.look = null;
    this.look = await this.engine.look(this.choice).catch(() => null); // loading tells what is wrong, when it is asked for
  }

  #model() {
    const { place, options } = placeOf(this.choice);
    return { place, pipelineOptions: options };
  }

  protected override render() {
    const bare = this.unsupported !== null;
    return html`
      <div
        class="page"
        @kiln-change=${(event: StudioEvent<"kiln-change">) => this.#change(event.detail)}
        @kiln-generate=${() => this.#generate()}
        @kiln-cancel=${() => this.#session.cancel()}
        @kiln-use-recipe=${(event: StudioEvent<"kiln-use-recipe">) => this.#change(settingsOf(event.detail, this.#card))}
        @kiln-open-picture=${(event: StudioEvent<"kiln-open-picture">) => (this.pictureDialog.picture = event.detail)}
        @kiln-download-picture=${(event: StudioEvent<"kiln-download-picture">) => this.#gallery.download(event.detail, this.settings.keepRecipe)}
        @kiln-delete-picture=${(event: StudioEvent<"kiln-delete-picture">) => this.#delete(event)}
        @kiln-inspect=${(event: StudioEvent<"kiln-inspect">) => this.#gallery.inspect(event.detail)}
        @kiln-choose-model=${(event: StudioEvent<"kiln-choose-model">) => this.#choose(event.detail)}
        @kiln-open-model-panel=${() => this.modelPanel.show()}
        @kiln-toggle-theme=${this.#toggleTheme}
      >
        <kiln-header .modelName=${this.#modelName} ?ready=${this.#session.model !== null} ?dark=${isDark(this.settings.theme)} ?bare=${bare}></kiln-header>
        <main>
          ${this.#gallery.problem === "" ? nothing : html`<p class="notice" role="alert">${this.#gallery.problem}</p>`}
          ${bare ? html`<kiln-unsupported .reason=${this.unsupported ?? ""}></kiln-unsupported>` : this.#workshop()}
          ${bare && this.#gallery.pictures.length === 0 ? nothing : html`<kiln-gallery .pictures=${this.#gallery.pictures}></kiln-gallery>`}
        </main>
        <footer><kiln-about ?keepRecipe=${this.settings.keepRecipe}></kiln-about></footer>
        <kiln-picture ?keepRecipe=${this.settings.keepRecipe}></kiln-picture>
        <kiln-origin .origin=${this.#gallery.origin}></kiln-origin>
        <kiln-model-panel .model=${this.#session.model} .choice=${this.choice} ?busy=${this.#session.busy}></kiln-model-panel>
        ${this.dropping ? html`<div class="drop">Drop it: did Kiln make it?</div>` : nothing}
      </div>
    `;
  }

  #workshop(): TemplateResult {
    const { settings } = this;
    const session = this.#session;
    const styleWords = this.#card?.styles ?? (this.choice.kind === "shipped" ? ["3d", "flat", "line art"] : []);
    const words = this.#card?.examples.length ? this.#card.examples : examples;
    return html`
      <div class="workshop">
        <div class="words">
          <h1>Words in,<br />pictures out.</h1>
          <kiln-prompt .settings=${settings} .styleWords=${styleWords} .examples=${words} ?busy=${session.busy}></kiln-prompt>
          <details ?open=${isWide()}>
            <summary>${icon("sliders", 18)} Settings ${icon("chevron", 18)}</summary>
            <kiln-settings .settings=${settings} .model=${session.model}></kiln-settings>
          </details>
        </div>
        <kiln-stage .activity=${session.activity} .examples=${words} .note=${this.#note}>
          <div slot="actions" class="tools">${this.#actions()}</div>
        </kiln-stage>
      </div>
    `;
  }

  /** What can be done with the pictures on the stage. */
  #actions(): TemplateResult | typeof nothing {
    const { fresh } = this.#gallery;
    if (fresh.length === 0) return nothing;
    const [first] = fresh;
    return html`
      <button class="button" @click=${() => fresh.forEach((picture) => this.#gallery.download(picture, this.settings.keepRecipe))}>${icon("download", 18)} Download</button>
      <button class="button" @click=${() => (this.pictureDialog.picture = first)}>${icon("search", 18)} Details</button>
      <button class="button" @click=${() => this.#generate()}>${icon("again", 18)} Again</button>
    `;
  }

  get #card() {
    return this.#session.model?.card ?? this.look?.card ?? null;
  }

  get #modelName(): string {
    return this.#card?.title || this.choice.name;
  }

  get #note(): string {
    if (this.#session.model !== null) return "";
    if (this.look?.cached) return "Warming up. The model is in this browser already.";
    const bytes = this.look?.bytes ?? null;
    const size = bytes === null ? "its model" : `its model (${formatBytes(bytes)})`;
    return `The first picture fetches ${size} once. After that, no network is needed.`;
  }

  #change(changed: Partial<Settings>): void {
    this.settings = { ...this.settings, ...changed };
    saveSettings(this.settings);
  }

  async #generate(): Promise<void> {
    if (this.#session.busy || this.unsupported !== null || this.settings.prompt.trim() === "") return;
    const { prompt, options, seed } = callOf(this.settings);
    this.#change({ seed });
    this.#showStage();
    const result = await this.#session.run({ ...this.#model(), prompt, options });
    if (result === null) return;
    await this.#gallery.add(result.images);
    void keepStorage();
  }

  /** On a phone the stage may be out of sight below the prompt. */
  #showStage(): void {
    if (isWide()) return;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    this.renderRoot.querySelector("kiln-stage")?.scrollIntoView({ behavior, block: "center" });
  }

  async #choose(choice: ModelChoice): Promise<void> {
    this.choice = choice;
    saveChoice(choice);
    this.#change({ style: "", steps: null, guidance: null, scheduler: null, width: null, height: null });
    await this.#session.unload();
    await this.#lookAtModel();
  }

  #delete({ detail }: StudioEvent<"kiln-delete-picture">): void {
    this.pictureDialog.picture = null;
    void this.#gallery.remove(detail);
    if (!this.#gallery.fresh.includes(detail)) return;
    this.#session.clear();
  }

  #toggleTheme(): void {
    const theme = nextTheme(this.settings.theme);
    this.#change({ theme });
    showTheme(theme);
  }

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && this.#session.busy) this.#session.cancel();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void this.#generate();
    const [target] = event.composedPath();
    if (event.key === "/" && target instanceof HTMLElement && !target.matches("input, textarea, select")) {
      event.preventDefault();
      this.promptForm.focus();
    }
  };

  readonly #onDrag = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.dropping = event.type === "dragover";
  };

  readonly #onDrop = (event: DragEvent): void => {
    const [file] = event.dataTransfer?.files ?? [];
    if (file === undefined) return;
    event.preventDefault();
    this.dropping = false;
    void this.#gallery.inspect(file);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "kiln-studio": KilnStudio;
  }
}

/** Whether prompt and stage lie side by side. */
function isWide(): boolean {
  return matchMedia("(min-width: 58.01rem)").matches;
}
