// <kiln-header>: the name, the model at work, light and dark.
import { css, html, LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import { emit } from "./events.ts";
import { icon, logo } from "./icons.ts";
import { base, controls } from "./styles.ts";

@customElement("kiln-header")
export class KilnHeader extends LitElement {
  static override styles = [
    base,
    controls,
    css`
      header {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: 1rem;
        min-height: 4.5rem;
      }
      .brand {
        display: flex;
        align-items: center;
        gap: 0.625rem;
        font-size: 1.375rem;
        font-weight: 650;
        letter-spacing: -0.035em;
      }
      .brand svg {
        border-radius: 9px;
      }
      .tools {
        display: flex;
        align-items: center;
        gap: 0.375rem;
        min-width: 0;
      }
      .model {
        border-radius: 99px;
        min-width: 0;
        padding-right: 0.75rem;
      }
      .model span:last-of-type {
        overflow: hidden;
        text-overflow: ellipsis;
      }
      .dot {
        width: 0.5rem;
        height: 0.5rem;
        flex: none;
        border-radius: 50%;
        background: var(--line-strong);
      }
      .dot.ready {
        background: #3aa35c;
      }
    `,
  ];

  @property() modelName = "";
  @property({ type: Boolean }) ready = false;
  @property({ type: Boolean }) dark = false;
  /** Without WebGPU there is no model to speak of. */
  @property({ type: Boolean }) bare = false;

  protected override render() {
    return html`
      <header>
        <div class="brand">${logo()}Kiln</div>
        <div class="tools">
          <button class="button model" ?hidden=${this.bare} @click=${() => emit(this, "kiln-open-model-panel")}>
            <span class="dot ${this.ready ? "ready" : ""}"></span><span class="visually-hidden">Model:</span><span>${this.modelName}</span>${icon("chevron", 16)}
          </button>
          <button class="icon-button" title=${this.dark ? "Light" : "Dark"} aria-label=${this.dark ? "Switch to light colours" : "Switch to dark colours"} @click=${() => emit(this, "kiln-toggle-theme")}>
            ${icon(this.dark ? "sun" : "moon", 20)}
          </button>
        </div>
      </header>
    `;
  }
}
