// <kiln-settings>: how to make it. Everything starts as the model recommends; what was changed can be put back.
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { ModelInfo } from "../pipelines/types.ts";
import type { SchedulerName } from "../schedulers/scheduler.ts";
import { emit } from "./events.ts";
import "./seed-field.ts";
import { initialSettings, limits, schedulerLabels, type Settings } from "./settings.ts";
import { base, controls } from "./styles.ts";

/** What a model without a word of its own gets. */
const fallback = { numInferenceSteps: 8, guidanceScale: 2 };

@customElement("kiln-settings")
export class KilnSettings extends LitElement {
  static override styles = [
    base,
    controls,
    css`
      .fields {
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: 1.25rem 1.5rem;
      }
      .wide {
        grid-column: 1 / -1;
      }
      .field {
        display: grid;
        gap: 0.375rem;
        align-content: start;
        min-width: 0;
      }
      .name {
        display: flex;
        justify-content: space-between;
        align-items: baseline;
        gap: 0.5rem;
      }
      output {
        font-size: 0.875rem;
        color: var(--muted);
        font-variant-numeric: tabular-nums;
      }
      .choices {
        display: grid;
        grid-auto-flow: column;
        grid-auto-columns: 1fr;
        gap: 0.125rem;
        padding: 0.1875rem;
        border-radius: 12px;
        background: var(--raised);
      }
      .choices button {
        min-height: 2.125rem;
        border-radius: 9px;
        font-size: 0.9375rem;
        color: var(--muted);
        font-variant-numeric: tabular-nums;
      }
      .choices button[aria-pressed="true"] {
        background: var(--pressed);
        color: var(--text);
        box-shadow: 0 1px 3px rgb(0 0 0 / 14%);
      }
      .reset {
        color: var(--accent);
        font-size: 0.875rem;
        font-weight: 500;
        text-decoration: underline;
        text-underline-offset: 0.2em;
        justify-self: start;
      }
      @media (max-width: 26rem) {
        .fields {
          gap: 1rem 1.125rem;
        }
      }
    `,
  ];

  @property({ attribute: false }) settings: Settings = initialSettings;
  @property({ attribute: false }) model: ModelInfo | null = null;

  protected override render() {
    const { settings, model } = this;
    const defaults = model?.defaults ?? fallback;
    const steps = settings.steps ?? defaults.numInferenceSteps;
    const guidance = settings.guidance ?? defaults.guidanceScale;
    return html`
      <div class="fields">
        ${this.#slider("Steps", String(steps), steps, limits.steps, 1, (value) => ({ steps: value }))}
        ${this.#slider("Guidance", guidance === 1 ? "off" : guidance.toFixed(1), guidance, limits.guidance, 0.5, (value) => ({ guidance: value }))}
        <kiln-seed class="wide" .settings=${settings}></kiln-seed>
        <div class="field wide">
          <label for="negative">Leave out</label>
          <input id="negative" type="text" maxlength="1000" autocomplete="off" placeholder="what should not be in the picture" .value=${settings.negativePrompt} ?disabled=${guidance === 1}
            @input=${(event: Event) => emit(this, "kiln-change", { negativePrompt: valueOf(event) })} />
        </div>
        <div class="field">
          <label for="scheduler">Scheduler</label>
          <select id="scheduler" @change=${(event: Event) => this.#setScheduler(valueOf(event))}>
            <option value="" ?selected=${settings.scheduler === null}>${model?.defaults.scheduler ? `${schedulerLabels[model.defaults.scheduler]} (model’s)` : "Model’s own"}</option>
            ${Object.entries(schedulerLabels).map(([name, label]) => html`<option value=${name} ?selected=${settings.scheduler === name}>${label}</option>`)}
          </select>
        </div>
        <div class="field">
          <span class="label" id="count">Pictures</span>
          <div class="choices" role="group" aria-labelledby="count">
            ${[1, 2, 3, 4].map((count) => html`<button aria-pressed=${settings.count === count} @click=${() => emit(this, "kiln-change", { count })}>${count}</button>`)}
          </div>
        </div>
        ${this.#sizes()}
        ${isChanged(settings) ? html`<button class="reset wide" @click=${() => emit(this, "kiln-change", recommended)}>Back to the model’s own settings</button>` : nothing}
      </div>
    `;
  }

  #slider(name: string, shown: string, value: number, { least, most }: { least: number; most: number }, step: number, change: (value: number) => Partial<Settings>): TemplateResult {
    const top = name === "Steps" ? Math.max(50, value) : most;
    return html`
      <div class="field">
        <div class="name"><label for=${name}>${name}</label><output for=${name}>${shown}</output></div>
        <input id=${name} type="range" min=${least} max=${top} step=${step} aria-valuetext=${shown} .value=${String(value)} @input=${(event: Event) => emit(this, "kiln-change", change(Number(valueOf(event))))} />
      </div>
    `;
  }

  /** Sizes that suit the model: its own, and upright and wide where it was trained on large pictures. */
  #sizes(): TemplateResult | typeof nothing {
    const { model, settings } = this;
    if (model === null || model.defaults.width < 256) return nothing;
    const side = model.defaults.width;
    const long = Math.round((side * 1.5) / 64) * 64;
    const sizes = [[side, side, "Square"], [side, long, "Upright"], [long, side, "Wide"]] as const;
    const [width, height] = [settings.width ?? side, settings.height ?? side];
    return html`
      <div class="field wide">
        <span class="label" id="size">Size</span>
        <div class="choices" role="group" aria-labelledby="size">
          ${sizes.map(([w, h, name]) => html`<button aria-pressed=${width === w && height === h} title="${w} × ${h}" @click=${() => emit(this, "kiln-change", { width: w, height: h })}>${name}</button>`)}
        </div>
      </div>
    `;
  }

  #setScheduler(name: string): void {
    const scheduler = (Object.keys(schedulerLabels) as SchedulerName[]).find((one) => one === name) ?? null;
    emit(this, "kiln-change", { scheduler });
  }
}

const recommended: Partial<Settings> = { steps: null, guidance: null, scheduler: null, width: null, height: null, negativePrompt: "", count: 1 };

function isChanged(settings: Settings): boolean {
  return (Object.keys(recommended) as (keyof Settings)[]).some((name) => settings[name] !== recommended[name]);
}

function valueOf(event: Event): string {
  return (event.target as HTMLInputElement | HTMLSelectElement).value;
}
