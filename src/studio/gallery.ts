// <kiln-gallery>: what was made in this browser, newest first, and the way to ask any picture whether it was made by Kiln.
import { css, html, LitElement, type TemplateResult } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { emit } from "./events.ts";
import type { Picture } from "./gallery-store.ts";
import { icon } from "./icons.ts";
import { pictureUrl } from "./picture-url.ts";
import { base, controls } from "./styles.ts";
import { counted } from "./words.ts";

@customElement("kiln-gallery")
export class KilnGallery extends LitElement {
  static override styles = [
    base,
    controls,
    css`
      header {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: 0.5rem 1rem;
        margin-bottom: 1.25rem;
      }
      h2 {
        font-size: 1.375rem;
        font-weight: 600;
        letter-spacing: -0.02em;
      }
      h2 span {
        margin-left: 0.375rem;
        font-weight: 400;
        font-size: 1rem;
        letter-spacing: 0;
        color: var(--muted);
      }
      ul {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(8.25rem, 1fr));
        gap: 0.875rem;
      }
      li button {
        display: block;
        position: relative;
        width: 100%;
        aspect-ratio: 1;
        border-radius: 14px;
        overflow: hidden;
        background: var(--raised);
        transition: transform 0.18s;
      }
      li button:hover {
        transform: translateY(-3px);
      }
      img {
        display: block;
        width: 100%;
        height: 100%;
        object-fit: cover;
      }
      .words {
        position: absolute;
        inset: auto 0 0;
        padding: 1.5rem 0.625rem 0.5rem;
        background: linear-gradient(transparent, rgb(20 10 5 / 82%));
        color: #fff;
        font-size: 0.8125rem;
        line-height: 1.25;
        text-align: left;
        white-space: nowrap;
        overflow: hidden;
        text-overflow: ellipsis;
        opacity: 0;
        transition: opacity 0.18s;
      }
      li button:hover .words,
      li button:focus-visible .words {
        opacity: 1;
      }
      .empty {
        display: grid;
        place-items: center;
        gap: 0.25rem;
        padding: 2.75rem 1.5rem;
        border: 1.5px dashed var(--line);
        border-radius: var(--radius);
        color: var(--muted);
        text-align: center;
      }
      @media (max-width: 30rem) {
        ul {
          grid-template-columns: repeat(3, 1fr);
          gap: 0.5rem;
        }
      }
    `,
  ];

  @property({ attribute: false }) pictures: readonly Picture[] = [];

  @query("input[type=file]") private files!: HTMLInputElement;

  protected override render() {
    const { pictures } = this;
    return html`
      <header>
        <h2>Gallery ${pictures.length > 0 ? html`<span>${counted(pictures.length, "picture")}</span>` : ""}</h2>
        <button class="button" @click=${() => this.files.click()}>${icon("search", 18)} Check a picture</button>
        <input type="file" accept="image/png" hidden aria-label="Picture to check" @change=${this.#picked} />
      </header>
      ${pictures.length === 0
        ? html`<div class="empty"><p>Every picture you make is kept here, in this browser and nowhere else.</p><p class="small">Drop a PNG on this page to see whether Kiln made it, and how.</p></div>`
        : html`<ul>${repeat(pictures, ({ id }) => id, (picture) => html`<li>${this.#thumbnail(picture)}</li>`)}</ul>`}
    `;
  }

  #thumbnail(picture: Picture): TemplateResult {
    const { prompt } = picture.recipe;
    return html`
      <button title=${prompt} aria-label="Open: ${prompt}" @click=${() => emit(this, "kiln-open-picture", picture)}>
        <img src=${pictureUrl(picture)} alt="" loading="lazy" decoding="async" />
        <span class="words" aria-hidden="true">${prompt}</span>
      </button>
    `;
  }

  #picked(): void {
    const [file] = this.files.files ?? [];
    this.files.value = "";
    if (file !== undefined) emit(this, "kiln-inspect", file);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "kiln-gallery": KilnGallery;
  }
}
