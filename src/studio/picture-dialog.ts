// <kiln-picture>: one picture large, with its recipe and what can be done with it.
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import type { Recipe } from "../pipelines/types.ts";
import { dialog } from "./dialog-styles.ts";
import { emit } from "./events.ts";
import type { Picture } from "./gallery-store.ts";
import { icon } from "./icons.ts";
import { pictureUrl } from "./picture-url.ts";
import { base, controls } from "./styles.ts";
import { formatBytes } from "./words.ts";

@customElement("kiln-picture")
export class KilnPicture extends LitElement {
  static override styles = [
    base,
    controls,
    dialog,
    css`
      dialog {
        width: min(58rem, calc(100vw - 2rem));
      }
      .columns {
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(0, 21rem);
      }
      figure {
        margin: 0;
        display: grid;
        place-items: center;
        padding: 2rem;
        background: #1d110b;
      }
      figure img {
        display: block;
        width: 100%;
        max-width: 26rem;
        border-radius: 14px;
      }
      .side {
        display: flex;
        flex-direction: column;
        gap: 1.25rem;
        padding: 1.5rem;
      }
      h2 {
        padding-right: 2.5rem;
        font-size: 1.25rem;
        font-weight: 600;
        letter-spacing: -0.015em;
        line-height: 1.3;
        overflow-wrap: anywhere;
      }
      .actions {
        display: grid;
        grid-template-columns: repeat(6, 1fr);
        gap: 0.5rem;
        margin-top: auto;
      }
      .actions .button {
        grid-column: span 3;
      }
      .actions .primary {
        grid-column: span 5;
      }
      .actions .danger {
        grid-column: span 1;
        padding: 0;
      }
      @media (max-width: 46rem) {
        .columns {
          grid-template-columns: 1fr;
        }
        figure {
          padding: 1.25rem;
        }
      }
    `,
  ];

  /** The picture that is open, or null. */
  @property({ attribute: false }) picture: Picture | null = null;
  @property({ type: Boolean }) keepRecipe = true;
  @state() private copied = false;

  @query("dialog") private dialog!: HTMLDialogElement;

  protected override updated(changed: PropertyValues<this>): void {
    if (!changed.has("picture")) return;
    this.copied = false;
    if (this.picture !== null && !this.dialog.open) this.dialog.showModal();
    if (this.picture === null && this.dialog.open) this.dialog.close();
  }

  protected override render() {
    return html`<dialog aria-labelledby="words" @close=${() => (this.picture = null)} @click=${this.#onClick}>${this.picture === null ? nothing : this.#content(this.picture)}</dialog>`;
  }

  #content(picture: Picture): TemplateResult {
    const { recipe, png } = picture;
    return html`
      <form method="dialog"><button class="icon-button close" aria-label="Close">${icon("close")}</button></form>
      <div class="columns">
        <figure><img src=${pictureUrl(picture)} alt="Made for the words: ${recipe.prompt}" /></figure>
        <div class="side">
          <h2 id="words">${recipe.prompt}</h2>
          ${recipeList(recipe)}
          <p class="small muted">PNG, ${formatBytes(png.byteLength)}. The download ${this.keepRecipe ? "holds these settings and" : ""} says that a model made it.</p>
          <div class="actions">
            <button class="button primary" autofocus @click=${() => emit(this, "kiln-download-picture", picture)}>${icon("download", 18)} Download</button>
            <button class="button danger" title="Delete" aria-label="Delete" @click=${() => emit(this, "kiln-delete-picture", picture)}>${icon("trash", 18)}</button>
            <button class="button" @click=${() => this.#use(recipe)}>${icon("sliders", 18)} Use settings</button>
            <button class="button" @click=${() => this.#copySeed(recipe)}>${icon(this.copied ? "check" : "copy", 18)} ${this.copied ? "Copied" : "Copy seed"}</button>
          </div>
        </div>
      </div>
    `;
  }

  #onClick(event: MouseEvent): void {
    if (event.target === this.dialog) this.dialog.close(); // the backdrop
  }

  #use(recipe: Recipe): void {
    emit(this, "kiln-use-recipe", recipe);
    this.dialog.close();
  }

  async #copySeed({ seed }: Recipe): Promise<void> {
    await navigator.clipboard.writeText(seed);
    this.copied = true;
  }
}

/** A recipe as a list of names and values. */
export function recipeList(recipe: Recipe): TemplateResult {
  const { negativePrompt, seed, numInferenceSteps, guidanceScale, scheduler, width, height, model, dtype, kiln, index, count } = recipe;
  const rows: [string, string | number][] = [
    ["Seed", seed],
    ...(count > 1 ? [["Picture", `${index + 1} of ${count}`] as [string, string]] : []),
    ...(negativePrompt === "" ? [] : [["Left out", negativePrompt] as [string, string]]),
    ["Steps", numInferenceSteps],
    ["Guidance", guidanceScale],
    ["Scheduler", scheduler],
    ["Size", `${width} × ${height}`],
    ["Model", `${model}, ${dtype}`],
    ["Made with", `Kiln ${kiln}`],
  ];
  return html`<dl>${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
