// <kiln-model-panel>: the model at work and what it needs, models kept in this browser, and the way to another one.
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { type CachedModel, deleteCached, listCached } from "../hub/cache.ts";
import type { ModelInfo } from "../pipelines/types.ts";
import { dialog } from "./dialog-styles.ts";
import { emit } from "./events.ts";
import { icon } from "./icons.ts";
import { hostOf, type ModelChoice, readRemote, shippedModel } from "./model-choice.ts";
import { pickFolder } from "./pick-folder.ts";
import { base, controls } from "./styles.ts";
import { formatBytes } from "./words.ts";

@customElement("kiln-model-panel")
export class KilnModelPanel extends LitElement {
  static override styles = [
    base,
    controls,
    dialog,
    css`
      dialog {
        width: min(34rem, calc(100vw - 2rem));
      }
      .content {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 2rem;
        padding: 1.5rem;
      }
      section {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.75rem;
      }
      h2 {
        font-size: 1.375rem;
        font-weight: 600;
        letter-spacing: -0.02em;
      }
      h3 {
        font-size: 1rem;
        font-weight: 600;
      }
      .kept li {
        display: flex;
        align-items: center;
        gap: 0.75rem;
        padding: 0.375rem 0;
        border-top: 1px solid var(--line);
      }
      .kept .name {
        flex: 1;
        min-width: 0;
        overflow-wrap: anywhere;
      }
      .address {
        display: flex;
        gap: 0.5rem;
      }
      .wrong {
        color: var(--danger);
      }
      .ways {
        display: flex;
        flex-wrap: wrap;
        gap: 0.5rem;
      }
    `,
  ];

  @property({ attribute: false }) model: ModelInfo | null = null;
  @property({ attribute: false }) choice: ModelChoice = shippedModel;
  @property({ type: Boolean }) busy = false;
  @state() private kept: readonly CachedModel[] = [];
  @state() private wrong = "";

  @query("dialog") private dialog!: HTMLDialogElement;
  @query("#address") private address!: HTMLInputElement;

  show(): void {
    this.wrong = "";
    this.dialog.showModal();
    void this.#refresh();
  }

  async #refresh(): Promise<void> {
    this.kept = await listCached().catch(() => []);
  }

  protected override render() {
    return html`
      <dialog aria-labelledby="title" tabindex="-1" autofocus @click=${this.#onClick}>
        <form method="dialog"><button class="icon-button close" aria-label="Close">${icon("close")}</button></form>
        <div class="content">${this.#atWork()} ${this.#inBrowser()} ${this.#another()}</div>
      </dialog>
    `;
  }

  #atWork(): TemplateResult {
    const { model, choice } = this;
    const card = model?.card ?? null;
    const rows: [string, string][] = model === null
      ? [["Loaded", "not yet: it is loaded with the first picture"]]
      : [
          ["Graphics memory", `${formatBytes(model.memory.peak)}, of which ${formatBytes(model.memory.weights)} weights`],
          ["Picture", `${model.defaults.width} × ${model.defaults.height}`],
          ["Numbers", model.dtype === "f16" ? "16 bits (f16)" : "32 bits (f32)"],
          ["Runs on", model.adapter],
          ["Licence", card?.licence || "see where the model comes from"],
          ["Trained on", card?.trainingData || "see where the model comes from"],
        ];
    return html`
      <section>
        <h2 id="title">${card?.title || choice.name}</h2>
        <dl>${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
      </section>
    `;
  }

  #inBrowser(): TemplateResult {
    return html`
      <section>
        <h3>Kept in this browser</h3>
        ${this.kept.length === 0
          ? html`<p class="small muted">Nothing yet. A model is kept after its first download, so that it opens without a network.</p>`
          : html`<ul class="kept">${this.kept.map((one) => html`
              <li>
                <span class="name">${one.id}</span>
                <span class="muted small">${formatBytes(one.bytes)}</span>
                <button class="icon-button" title="Delete" aria-label="Delete ${one.id} from this browser" ?disabled=${this.busy} @click=${() => this.#delete(one)}>${icon("trash", 18)}</button>
              </li>`)}</ul>`}
      </section>
    `;
  }

  #another(): TemplateResult {
    const { busy } = this;
    return html`
      <section>
        <h3>Another model</h3>
        <p class="small muted">Any Stable Diffusion 1.x, 2.x, SD-Turbo or LCM model in the folder layout of diffusers, with .safetensors files. Those have 2 to 4 GB and want a real graphics card.</p>
        <div class="ways">
          <button class="button" ?disabled=${busy} @click=${this.#pick}>${icon("folder", 18)} Choose a folder</button>
          ${this.choice.kind === "shipped" ? nothing : html`<button class="button" ?disabled=${busy} @click=${() => this.#choose(shippedModel)}>${icon("again", 18)} Back to the model of this site</button>`}
        </div>
        <label for="address">Or an address</label>
        <form class="address" @submit=${this.#typed}>
          <input id="address" type="text" autocomplete="off" spellcheck="false" placeholder="owner/name or https://…" aria-describedby="wrong leaves" />
          <button class="button" ?disabled=${busy}>${icon("link", 18)} Load</button>
        </form>
        <p id="wrong" class="wrong small" role="alert">${this.wrong}</p>
        <p id="leaves" class="small muted">This is the only thing on this page that asks another site, and only for the model’s files${this.#host()}.</p>
      </section>
    `;
  }

  #host(): string {
    const host = hostOf(this.choice);
    return host === null ? "" : `; now: ${host}`;
  }

  #onClick(event: MouseEvent): void {
    if (event.target === this.dialog) this.dialog.close();
  }

  #choose(choice: ModelChoice): void {
    emit(this, "kiln-choose-model", choice);
    this.dialog.close();
  }

  async #pick(): Promise<void> {
    const choice = await pickFolder();
    if (choice !== null) this.#choose(choice);
  }

  #typed(event: SubmitEvent): void {
    event.preventDefault();
    const choice = readRemote(this.address.value);
    if (typeof choice === "string") this.wrong = choice;
    else this.#choose(choice);
  }

  async #delete({ url }: CachedModel): Promise<void> {
    await deleteCached(url);
    await this.#refresh();
  }
}
