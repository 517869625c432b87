// <kiln-origin>: what a dropped picture says of its own origin, told with the doubt that such marks deserve.
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import type { Inspection } from "../provenance/inspect.ts";
import { trainedAlgorithmicMedia } from "../provenance/xmp.ts";
import { dialog } from "./dialog-styles.ts";
import { emit } from "./events.ts";
import { icon } from "./icons.ts";
import { recipeList } from "./picture-dialog.ts";
import { base, controls } from "./styles.ts";

/** A file that was asked about, and its answer. */
export interface Origin {
  readonly file: File;
  readonly inspection: Inspection;
  /** Whether the very same file's picture is in this browser's gallery. */
  readonly inGallery: boolean;
}

@customElement("kiln-origin")
export class KilnOrigin extends LitElement {
  static override styles = [
    base,
    controls,
    dialog,
    css`
      dialog {
        width: min(30rem, calc(100vw - 2rem));
      }
      .content {
        display: grid;
        gap: 1rem;
        padding: 1.5rem;
      }
      h2 {
        padding-right: 2.5rem;
        font-size: 1.25rem;
        font-weight: 600;
        letter-spacing: -0.015em;
        line-height: 1.3;
      }
      .prompt {
        font-size: 1.0625rem;
        overflow-wrap: anywhere;
      }
      .actions {
        display: flex;
        gap: 0.5rem;
      }
    `,
  ];

  @property({ attribute: false }) origin: Origin | null = null;

  @query("dialog") private dialog!: HTMLDialogElement;

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has("origin") && this.origin !== null && !this.dialog.open) this.dialog.showModal();
  }

  protected override render() {
    return html`<dialog aria-labelledby="verdict" tabindex="-1" autofocus @close=${() => (this.origin = null)}>${this.origin === null ? nothing : this.#content(this.origin)}</dialog>`;
  }

  #content({ file, inspection, inGallery }: Origin): TemplateResult {
    const { recipe } = inspection;
    return html`
      <form method="dialog"><button class="icon-button close" aria-label="Close">${icon("close")}</button></form>
      <div class="content">
        <h2 id="verdict">${verdict(inspection, inGallery)}</h2>
        <p class="small muted">${file.name}: ${reasons(inspection, inGallery)}</p>
        ${recipe === null ? nothing : html`
          <p class="prompt">“${recipe.prompt}”</p>
          ${recipeList(recipe)}
          <div class="actions"><button class="button primary" @click=${this.#use}>${icon("sliders", 18)} Use these settings</button></div>
        `}
      </div>
    `;
  }

  #use(): void {
    if (this.origin?.inspection.recipe) emit(this, "kiln-use-recipe", this.origin.inspection.recipe);
    this.dialog.close();
  }
}

function verdict({ madeByKiln, digitalSourceType }: Inspection, inGallery: boolean): string {
  if (inGallery) return "Made here, in this browser";
  if (madeByKiln) return "This file says that Kiln made it";
  return digitalSourceType === trainedAlgorithmicMedia ? "This file says that a model made it" : "This file does not say who made it";
}

function reasons({ madeByKiln, recipe, digitalSourceType }: Inspection, inGallery: boolean): string {
  if (inGallery) return "the same pixels and the same recipe are in your gallery.";
  if (madeByKiln && recipe !== null) return "it holds Kiln’s mark and a recipe. Anyone can write such a mark into a file; making the picture again from the recipe is the test.";
  if (madeByKiln) return "it holds Kiln’s mark, but no recipe. Anyone can write such a mark into a file, so it is a hint, not a proof.";
  if (digitalSourceType !== null) return "it holds IPTC’s DigitalSourceType, but nothing of Kiln.";
  return "there is no mark in it. Marks are lost when a picture is edited, copied as a screenshot or sent through most messengers, so this proves nothing either way.";
}
