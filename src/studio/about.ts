// <kiln-about>: what this page does with you and for you, and what it cannot do.
import { css, html, LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import { emit } from "./events.ts";
import { base, controls } from "./styles.ts";

@customElement("kiln-about")
export class KilnAbout extends LitElement {
  static override styles = [
    base,
    controls,
    css`
      .columns {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr));
        gap: 2rem 2.5rem;
      }
      h3 {
        margin-bottom: 0.375rem;
        font-size: 1rem;
        font-weight: 600;
        letter-spacing: -0.01em;
      }
      p {
        color: var(--muted);
        font-size: 0.9375rem;
        line-height: 1.55;
        text-wrap: pretty;
      }
      .keep {
        display: inline-flex;
        align-items: flex-start;
        gap: 0.625rem;
        margin-top: 0.75rem;
        color: var(--text);
        font-weight: 450;
        cursor: pointer;
      }
      .keep input {
        margin-top: 0.125rem;
      }
    `,
  ];

  @property({ type: Boolean }) keepRecipe = true;

  protected override render() {
    return html`
      <div class="columns">
        <section>
          <h3>Nothing leaves this device</h3>
          <p>Words become pictures on your own graphics card, through WebGPU. No account, no server, no tracking. After the first visit it all works without a network.</p>
        </section>
        <section>
          <h3>A small model with limits</h3>
          <p>The model that comes with Kiln has learnt from emoji: objects, animals, food, faces and signs, in English and Russian, small and in three styles. It knows no names of people, no long sentences, no photographs.</p>
        </section>
        <section>
          <h3>Every file says what it is</h3>
          <p>Downloads carry IPTC’s mark for media made by a model. Prompt and settings travel in the file, too, so that a picture can be made again.</p>
          <label class="keep"><input type="checkbox" .checked=${this.keepRecipe} @change=${(event: Event) => emit(this, "kiln-change", { keepRecipe: (event.target as HTMLInputElement).checked })} /> Put prompt and settings into downloads</label>
        </section>
      </div>
    `;
  }
}
