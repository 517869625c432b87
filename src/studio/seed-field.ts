// <kiln-seed>: where the noise begins. Random each time, or fixed, so that the same words give the same picture.
import { css, html, LitElement } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { isSeed } from "../provenance/recipe.ts";
import { emit } from "./events.ts";
import { icon } from "./icons.ts";
import { initialSettings, randomSeed, type Settings } from "./settings.ts";
import { base, controls } from "./styles.ts";

@customElement("kiln-seed")
export class KilnSeed extends LitElement {
  static override styles = [
    base,
    controls,
    css`
      .name {
        display: flex;
        justify-content: space-between;
        align-items: center;
        margin-bottom: 0.375rem;
      }
      .fixed {
        display: inline-flex;
        align-items: center;
        gap: 0.5rem;
        font-weight: 400;
        cursor: pointer;
      }
      .field {
        position: relative;
      }
      input[type="text"] {
        padding-right: 5.25rem;
        font-variant-numeric: tabular-nums;
      }
      input[aria-invalid="true"] {
        border-color: var(--danger);
      }
      .tools {
        position: absolute;
        top: 0.125rem;
        right: 0.25rem;
        display: flex;
      }
      .icon-button {
        width: 2.25rem;
        height: 2.25rem;
      }
      .wrong {
        margin-top: 0.375rem;
        color: var(--danger);
        font-size: 0.875rem;
      }
    `,
  ];

  @property({ attribute: false }) settings: Settings = initialSettings;
  @state() private copied = false;

  protected override render() {
    const { seed, seedMode } = this.settings;
    const fixed = seedMode === "fixed";
    const wrong = fixed && !isSeed(seed);
    return html`
      <div class="name">
        <label for="seed">Seed</label>
        <label class="fixed"><input type="checkbox" .checked=${fixed} @change=${this.#toggle} /> Keep the same</label>
      </div>
      <div class="field">
        <input id="seed" type="text" inputmode="numeric" autocomplete="off" maxlength="20" placeholder="random each time" .value=${seed} aria-invalid=${wrong} aria-describedby="wrong" @input=${this.#type} />
        <div class="tools">
          <button class="icon-button" title=${this.copied ? "Copied" : "Copy the seed"} aria-label=${this.copied ? "Copied" : "Copy the seed"} ?disabled=${seed === ""} @click=${this.#copy}>${icon(this.copied ? "check" : "copy", 18)}</button>
          <button class="icon-button" title="Another seed" aria-label="Another seed" @click=${() => emit(this, "kiln-change", { seed: randomSeed(), seedMode: "fixed" })}>${icon("dice", 18)}</button>
        </div>
      </div>
      <p id="wrong" class="wrong" ?hidden=${!wrong}>A whole number from 0 to 2⁶⁴ − 1 is needed.</p>
    `;
  }

  #toggle(event: Event): void {
    const fixed = (event.target as HTMLInputElement).checked;
    emit(this, "kiln-change", fixed ? { seedMode: "fixed", seed: this.settings.seed || randomSeed() } : { seedMode: "random" });
  }

  #type(event: Event): void {
    const seed = (event.target as HTMLInputElement).value.trim();
    emit(this, "kiln-change", seed === "" ? { seed, seedMode: "random" } : { seed, seedMode: "fixed" });
  }

  async #copy(): Promise<void> {
    await navigator.clipboard.writeText(this.settings.seed);
    this.copied = true;
    setTimeout(() => (this.copied = false), 1500);
  }
}
