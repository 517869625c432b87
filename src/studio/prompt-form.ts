// <kiln-prompt>: what to make. Prompt, style, a word from the dice, and the button that starts.
import { css, html, LitElement } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import { emit } from "./events.ts";
import { icon } from "./icons.ts";
import type { Settings } from "./settings.ts";
import { initialSettings } from "./settings.ts";
import { base, controls } from "./styles.ts";

@customElement("kiln-prompt")
export class KilnPrompt extends LitElement {
  static override styles = [
    base,
    controls,
    css`
      .box {
        border: 1px solid var(--line-strong);
        border-radius: var(--radius);
        background: var(--surface);
        box-shadow: var(--shadow);
        transition: border-color 0.15s;
      }
      .box:focus-within {
        border-color: var(--accent);
        outline: 1.5px solid var(--accent);
      }
      textarea {
        display: block;
        min-height: 6.25rem;
        padding: 1.125rem 1.25rem 0.5rem;
        border: 0;
        background: none;
        font-size: 1.25rem;
        line-height: 1.4;
        letter-spacing: -0.01em;
        resize: none;
        field-sizing: content;
        max-height: 16rem;
        outline: none;
      }
      .row {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: 0.5rem;
        padding: 0.5rem 0.625rem 0.625rem;
      }
      fieldset {
        display: flex;
        gap: 0.125rem;
        min-width: 0;
        margin: 0;
        padding: 0.1875rem;
        border: 0;
        border-radius: 12px;
        background: var(--raised);
      }
      legend {
        float: left; /* a legend of its own line would break the row */
      }
      .style {
        display: grid;
        place-items: center;
        position: relative;
        min-height: 2rem;
        padding: 0 0.75rem;
        border-radius: 9px;
        font-size: 0.875rem;
        font-weight: 500;
        color: var(--muted);
        cursor: pointer;
      }
      .style:has(:checked) {
        background: var(--pressed);
        color: var(--text);
        box-shadow: 0 1px 3px rgb(0 0 0 / 14%);
      }
      .style:has(:focus-visible) {
        outline: 2.5px solid var(--accent);
      }
      .style input {
        position: absolute;
        inset: 0;
        opacity: 0;
        margin: 0;
        cursor: pointer;
      }
      .go {
        width: 100%;
        min-height: 3.25rem;
        margin-top: 0.875rem;
        border-radius: 14px;
        font-size: 1.0625rem;
      }
      kbd {
        padding: 0.125rem 0.4rem;
        border-radius: 6px;
        background: color-mix(in srgb, currentcolor 12%, transparent);
        font: 500 0.75rem var(--font);
      }
      @media (pointer: coarse) {
        kbd {
          display: none;
        }
      }
    `,
  ];

  @property({ attribute: false }) settings: Settings = initialSettings;
  @property({ attribute: false }) styleWords: readonly string[] = [];
  @property({ attribute: false }) examples: readonly string[] = [];
  @property({ type: Boolean }) busy = false;

  @query("textarea") private area!: HTMLTextAreaElement;

  override focus(): void {
    this.area.focus();
  }

  protected override render() {
    const { prompt, style } = this.settings;
    return html`
      <div class="box">
        <label class="visually-hidden" for="prompt">Prompt</label>
        <textarea
          id="prompt"
          rows="2"
          maxlength="1000"
          autocomplete="off"
          enterkeyhint="go"
          placeholder="red apple, красное яблоко, a cat with a hat …"
          .value=${prompt}
          @input=${() => emit(this, "kiln-change", { prompt: this.area.value })}
          @keydown=${this.#onKey}
        ></textarea>
        <div class="row">
          ${this.styleWords.length === 0 ? html`<span></span>` : html`
            <fieldset>
              <legend class="visually-hidden">Style</legend>
              ${["", ...this.styleWords].map((word) => html`
                <label class="style">
                  <input type="radio" name="style" .checked=${style === word} @change=${() => emit(this, "kiln-change", { style: word })} />
                  ${word === "" ? "Any" : styleName(word)}
                </label>
              `)}
            </fieldset>
          `}
          <button class="icon-button" title="Another example" aria-label="Put in another example" ?disabled=${this.examples.length === 0} @click=${this.#surprise}>${icon("dice", 22)}</button>
        </div>
      </div>
      ${this.busy
        ? html`<button class="button go" @click=${() => emit(this, "kiln-cancel")}>Cancel <kbd aria-hidden="true">Esc</kbd></button>`
        : html`<button class="button primary go" @click=${this.#go}>Generate <kbd aria-hidden="true">${isApple ? "⌘" : "Ctrl"} ↵</kbd></button>`}
    `;
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key !== "Enter" || event.isComposing || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    emit(this, "kiln-generate");
  }

  #go(): void {
    if (this.settings.prompt.trim() === "") this.focus();
    else emit(this, "kiln-generate");
  }

  #surprise(): void {
    const others = this.examples.filter((example) => example !== this.settings.prompt);
    const prompt = others[Math.floor(Math.random() * others.length)];
    if (prompt !== undefined) emit(this, "kiln-change", { prompt });
  }
}

/** "3d" → "3D", "line art" → "Line art". */
function styleName(word: string): string {
  return /^\d/.test(word) ? word.toUpperCase() : word.charAt(0).toUpperCase() + word.slice(1);
}

const isApple = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.userAgent);
