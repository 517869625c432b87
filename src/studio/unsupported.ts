// <kiln-unsupported>: the page where there is no WebGPU. Which browsers have it, and how to switch it on in this one.
import { css, html, LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import "./arch.ts";
import { advise, browsers } from "./browsers.ts";
import { icon } from "./icons.ts";
import { base, controls } from "./styles.ts";

@customElement("kiln-unsupported")
export class KilnUnsupported extends LitElement {
  static override styles = [
    base,
    controls,
    css`
      .page {
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(0, 22rem);
        gap: clamp(2rem, 6vw, 5rem);
        align-items: center;
        padding: clamp(1rem, 5vh, 4rem) 0;
      }
      h1 {
        font-size: clamp(1.875rem, 4.6vw, 2.75rem);
        font-weight: 650;
        letter-spacing: -0.035em;
        line-height: 1.1;
        text-wrap: balance;
      }
      .lead {
        margin-top: 1rem;
        max-width: 34rem;
        font-size: 1.0625rem;
        color: var(--muted);
      }
      .advice {
        margin-top: 1.75rem;
        padding: 1.125rem 1.25rem;
        border-radius: var(--radius);
        background: var(--accent-soft);
        max-width: 36rem;
      }
      .advice h2 {
        font-size: 1rem;
        font-weight: 600;
      }
      ol {
        margin: 0.5rem 0 0;
        padding-left: 1.25rem;
        font-size: 0.9375rem;
      }
      li + li {
        margin-top: 0.25rem;
      }
      code {
        font: 0.875em var(--mono);
        overflow-wrap: anywhere;
      }
      dl {
        margin-top: 1.75rem;
        max-width: 36rem;
        font-size: 0.9375rem;
      }
      dl div {
        display: flex;
        justify-content: space-between;
        gap: 1rem;
        padding: 0.5rem 0;
        border-top: 1px solid var(--line);
      }
      dt {
        font-weight: 500;
      }
      dd {
        color: var(--muted);
        text-align: right;
      }
      .again {
        margin-top: 1.75rem;
      }
      @media (max-width: 52rem) {
        .page {
          grid-template-columns: minmax(0, 1fr);
        }
        kiln-arch {
          display: none;
        }
      }
    `,
  ];

  /** What was found: the message of the error. */
  @property() reason = "";

  protected override render() {
    const { title, steps } = advise(navigator.userAgent, globalThis.isSecureContext);
    return html`
      <div class="page">
        <div>
          <h1>Kiln needs WebGPU.</h1>
          <p class="lead">${this.reason || "This browser has no WebGPU."} Kiln computes on your own graphics card, which a page can reach only that way.</p>
          <section class="advice">
            <h2>${title}</h2>
            <ol>${steps.map((step) => html`<li>${step}</li>`)}</ol>
          </section>
          <dl>${browsers.map(({ name, since }) => html`<div><dt>${name}</dt><dd>${since}</dd></div>`)}</dl>
          <p class="again"><button class="button" @click=${() => location.reload()}>${icon("again", 18)} Look again</button></p>
        </div>
        <kiln-arch heat="0.05"></kiln-arch>
      </div>
    `;
  }
}
