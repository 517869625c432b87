// <kiln-stage>: the kiln itself. Cold with examples, heating while the model loads, a live preview while it works, then the pictures.
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { classMap } from "lit/directives/class-map.js";
import type { Pixels } from "../pipelines/types.ts";
import "./arch.ts";
import { emit } from "./events.ts";
import { icon } from "./icons.ts";
import "./pixels.ts";
import type { Activity, Generating, LoadProgress } from "./session.ts";
import { base, controls } from "./styles.ts";
import { formatBytes, timeLeft, tookSeconds, type Problem } from "./words.ts";

/** Milliseconds between two sentences to a screen reader. */
const announceEvery = 4000;

@customElement("kiln-stage")
export class KilnStage extends LitElement {
  static override styles = [
    base,
    controls,
    css`
      kiln-arch {
        width: min(100%, 32rem);
        margin: 0 auto;
      }
      .title {
        font-size: 1.125rem;
        font-weight: 600;
        letter-spacing: -0.01em;
        line-height: 1.3;
      }
      .line {
        font-size: 0.875rem;
        line-height: 1.4;
        opacity: 0.86;
        font-variant-numeric: tabular-nums;
      }
      .pictures {
        display: grid;
        gap: 0.5rem;
        width: 100%;
        height: 100%;
      }
      .pictures.several {
        grid-template: 1fr 1fr / 1fr 1fr;
      }
      .pictures.two {
        grid-template: 1fr / 1fr 1fr;
        align-content: center;
      }
      .pictures.two kiln-pixels {
        aspect-ratio: 1;
        align-self: center;
      }
      kiln-pixels {
        min-width: 0;
        min-height: 0;
        border-radius: 14px;
        overflow: hidden;
        background: rgb(0 0 0 / 28%);
      }
      .fresh kiln-pixels {
        animation: appear 0.5s ease-out;
      }
      @keyframes appear {
        from {
          transform: scale(0.97);
          opacity: 0.4;
        }
      }
      .cold {
        display: flex;
        flex-direction: column;
        align-items: center;
        justify-content: center;
        gap: 1.25rem;
        height: 100%;
        padding: 0 2%;
        text-align: center;
        color: #f3dccb;
        transform: translateY(-6%);
      }
      .examples {
        display: flex;
        flex-wrap: wrap;
        justify-content: center;
        gap: 0.5rem;
      }
      .examples .chip {
        border-color: rgb(255 220 190 / 26%);
        background: rgb(255 220 190 / 9%);
        color: #ffeedd;
        font-size: 0.875rem;
        min-height: 2.125rem;
      }
      .examples .chip:hover {
        background: rgb(255 220 190 / 20%);
      }
      .big {
        font-size: clamp(2.5rem, 12cqw, 3.75rem);
        font-weight: 600;
        letter-spacing: -0.04em;
        line-height: 1;
        font-variant-numeric: tabular-nums;
      }
      .actions {
        display: flex;
        flex-wrap: wrap;
        justify-content: center;
        gap: 0.5rem;
        margin-top: 1.25rem;
      }
      .note {
        font-size: 0.875rem;
        color: var(--muted);
        text-align: center;
        text-wrap: balance;
      }
      .problem {
        display: flex;
        flex-direction: column;
        gap: 0.75rem;
        align-items: center;
        justify-content: center;
        height: 100%;
        padding: 0 3%;
        text-align: center;
        color: #ffe4d3;
        overflow-wrap: anywhere;
      }
      .problem svg {
        color: #ffb38a;
      }
      .warning {
        max-width: 27.5rem;
        margin: 1rem auto 0;
        padding: 0.625rem 0.875rem;
        border-radius: var(--radius-small);
        background: var(--accent-soft);
        font-size: 0.875rem;
      }
    `,
  ];

  @property({ attribute: false }) activity: Activity = { phase: "idle" };
  @property({ attribute: false }) examples: readonly string[] = [];
  /** What is said beneath the kiln while it is cold. */
  @property() note = "";

  @state() private announcement = "";
  #announcedAt = -Infinity;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("activity")) return;
    const before: Activity | undefined = changed.get("activity");
    const turned = before?.phase !== this.activity.phase;
    const now = performance.now();
    if (!turned && now - this.#announcedAt < announceEvery) return;
    this.#announcedAt = now;
    this.announcement = sentence(this.activity);
  }

  protected override render() {
    return html`
      ${this.#kiln()}
      <div class="visually-hidden" role="status" aria-live="polite">${this.announcement}</div>
    `;
  }

  #kiln(): TemplateResult {
    const { activity } = this;
    switch (activity.phase) {
      case "idle": return this.#cold();
      case "loading": return this.#loading(activity.progress);
      case "generating": return this.#generating(activity);
      case "done": return html`
        <kiln-arch heat="0.55">
          <div slot="head"><p class="line">${activity.seconds > 0 ? `Done in ${tookSeconds(activity.seconds)}` : ""}</p></div>
          ${pictures(activity.images, true)}
        </kiln-arch>
        <div class="actions"><slot name="actions"></slot></div>
        ${activity.warnings.map((warning) => html`<p class="warning">${warning}</p>`)}
      `;
      case "failed": return this.#failed(activity.problem);
    }
  }

  #cold(): TemplateResult {
    return html`
      <kiln-arch heat="0.12">
        <div class="cold">
          <p class="title">The kiln is cold.<br />Say what it should make.</p>
          <div class="examples">
            ${this.examples.slice(0, 6).map((example) => html`<button class="chip" @click=${() => this.#try(example)}>${example}</button>`)}
          </div>
        </div>
      </kiln-arch>
      <div class="actions"><p class="note">${this.note}</p></div>
    `;
  }

  #try(prompt: string): void {
    emit(this, "kiln-change", { prompt });
    emit(this, "kiln-generate");
  }

  #loading(progress: LoadProgress): TemplateResult {
    const { done, what, amount, rest } = loadingWords(progress);
    return html`
      <kiln-arch heat=${0.2 + 0.5 * Math.max(0, done)} progress=${done} label="Loading the model">
        <div slot="head"><p class="title">${what}</p></div>
        <div class="cold">
          <p class="big">${done < 0 ? "…" : `${Math.floor(100 * done)} %`}</p>
          <div><p class="line">${amount}</p><p class="line">${rest}</p></div>
        </div>
      </kiln-arch>
      ${this.#cancelButton()}
    `;
  }

  #generating({ step, total, secondsLeft, previews }: Generating): TemplateResult {
    const words = step === 0 || total === null ? "Lighting the fire" : step < total ? `Step ${step} of ${total}` : "Opening the door";
    return html`
      <kiln-arch heat="0.95" progress=${total === null ? -1 : step / total} label="Making the picture">
        <div slot="head"><p class="title">${words}</p><p class="line">${step === 0 ? "the first step takes longest" : step === total ? "decoding the picture" : timeLeft(secondsLeft)}</p></div>
        ${pictures(previews, false)}
      </kiln-arch>
      ${this.#cancelButton()}
    `;
  }

  #cancelButton(): TemplateResult {
    return html`<div class="actions"><button class="button" @click=${() => emit(this, "kiln-cancel")}>${icon("stop", 16)} Cancel</button></div>`;
  }

  #failed({ title, detail, wayOut }: Problem): TemplateResult {
    return html`
      <kiln-arch heat="0.06">
        <div class="problem" role="alert">
          ${icon("alert", 32)}
          <p class="title">${title}</p>
          <p class="line">${detail}</p>
          ${wayOut === "" ? nothing : html`<p class="line">${wayOut}</p>`}
        </div>
      </kiln-arch>
      <div class="actions"><button class="button" @click=${() => emit(this, "kiln-generate")}>${icon("again", 16)} Try again</button></div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "kiln-stage": KilnStage;
  }
}

/** One to four pictures on the kiln's floor. */
function pictures(pixels: readonly Pixels[], fresh: boolean): TemplateResult {
  const classes = classMap({ pictures: true, fresh, two: pixels.length === 2, several: pixels.length > 2 });
  const label = fresh ? "The picture" : "The picture as it is so far";
  return html`<div class=${classes}>${pixels.map((one, i) => html`<kiln-pixels .pixels=${one} label=${pixels.length > 1 ? `${label}, ${i + 1} of ${pixels.length}` : label}></kiln-pixels>`)}</div>`;
}

interface LoadingWords {
  /** 0 … 1, or −1 where nobody knows. */
  readonly done: number;
  readonly what: string;
  readonly amount: string;
  readonly rest: string;
}

/** Tells of what is waited for: the network before the graphics memory, and that before the kernels. */
function loadingWords({ download, upload, compile }: LoadProgress): LoadingWords {
  const waiting = [download, upload, compile].find((one) => one !== undefined && (one.total === null || one.loaded < one.total));
  if (waiting === undefined) return { done: -1, what: "Starting the engine", amount: "", rest: "" };
  const { status, loaded, total, bytesPerSecond, secondsLeft } = waiting;
  const done = total === null ? -1 : loaded / total;
  if (status === "compile") return { done, what: "Preparing the kernels", amount: `${loaded} of ${total ?? "some"}`, rest: "" };
  const amount = total === null ? formatBytes(loaded) : `${formatBytes(loaded)} of ${formatBytes(total)}`;
  const speed = bytesPerSecond && status === "download" ? `${formatBytes(bytesPerSecond)}/s` : "";
  const what = status === "download" ? "Fetching the model" : "Filling the graphics memory";
  return { done, what, amount, rest: [speed, timeLeft(secondsLeft)].filter(Boolean).join(" · ") };
}

/** Where things stand, for a screen reader. */
function sentence(activity: Activity): string {
  switch (activity.phase) {
    case "idle": return "";
    case "loading": {
      const { what, amount } = loadingWords(activity.progress);
      return `${what}. ${amount}`;
    }
    case "generating": return activity.step === 0 ? "Making the picture." : `Step ${activity.step} of ${activity.total}. ${timeLeft(activity.secondsLeft)}`;
    case "done": return activity.images.length === 1 ? "The picture is ready." : `${activity.images.length} pictures are ready.`;
    case "failed": return ""; // role="alert" says it
  }
}
