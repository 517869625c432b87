// <kiln-arch heat="0…1" progress="0…1">: the mouth of a kiln, drawn in SVG; its rim fills with progress, its inside glows with heat.
import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { base } from "./styles.ts";

/** The rim's middle line; its length is set to 1, so that progress is a dash of that length. */
const rim = "M16 548V206C16 88 119 16 240 16S464 88 464 206V548";
const inside = "M32 549V208C32 100 127 32 240 32S448 100 448 208V549Z";

@customElement("kiln-arch")
export class KilnArch extends LitElement {
  static override styles = [
    base,
    css`
      :host {
        position: relative;
        aspect-ratio: 512 / 562;
      }
      svg {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
        overflow: visible;
      }
      .rim {
        fill: none;
        stroke: var(--brick);
        stroke-width: 32;
      }
      .joints {
        fill: none;
        stroke: var(--brick-shade);
        stroke-width: 32;
        stroke-dasharray: 0.0022 0.0363;
      }
      .sill {
        fill: var(--brick-shade);
      }
      .progress {
        fill: none;
        stroke: url(#ember);
        stroke-width: 6;
        stroke-linecap: round;
        transition: stroke-dashoffset 0.4s ease-out;
      }
      .glow {
        transition: opacity 0.8s;
      }
      .breathing {
        animation: breathe 2.6s ease-in-out infinite alternate;
      }
      @keyframes breathe {
        from {
          opacity: 0.72;
        }
      }
      .head {
        position: absolute;
        inset: 9.5% 18% auto;
        height: 17%;
        display: grid;
        place-content: center;
        text-align: center;
        color: #ffe9d6;
      }
      .floor {
        position: absolute;
        left: 13.28%;
        top: 28.47%;
        width: 73.44%;
        aspect-ratio: 1;
      }
    `,
  ];

  @property({ type: Number }) heat = 0;
  /** null: no progress to show; -1: under way, but nobody knows how far. */
  @property({ type: Number }) progress: number | null = null;
  @property() label = "";

  protected override render() {
    const known = this.progress !== null && this.progress >= 0;
    return html`
      <svg viewBox="-16 0 512 562" aria-hidden="true">
        <defs>
          <radialGradient id="fire" cx="50%" cy="104%" r="88%">
            <stop offset="0" stop-color="#ffd98a" />
            <stop offset=".22" stop-color="#ff9a3d" />
            <stop offset=".5" stop-color="#d8481c" />
            <stop offset=".8" stop-color="#6d1d10" />
            <stop offset="1" stop-color="#2a100b" />
          </radialGradient>
          <radialGradient id="dark" cx="50%" cy="100%" r="90%">
            <stop offset="0" stop-color="#4a2416" />
            <stop offset=".6" stop-color="#26140e" />
            <stop offset="1" stop-color="#1a0f0b" />
          </radialGradient>
          <linearGradient id="ember" gradientUnits="userSpaceOnUse" x1="14" y1="552" x2="466" y2="552">
            <stop offset="0" stop-color="#ff6a2b" />
            <stop offset="1" stop-color="#ffc55c" />
          </linearGradient>
        </defs>
        <path class="rim" d=${rim} />
        <path class="joints" d=${rim} pathLength="1" />
        <path d=${inside} fill="url(#dark)" />
        <path class="glow ${this.progress === null ? "" : "breathing"}" d=${inside} fill="url(#fire)" opacity=${this.heat} />
        <rect class="sill" x="-14" y="548" width="508" height="14" rx="4" />
        <path class="progress" d=${rim} pathLength="1" stroke-dasharray="1" stroke-dashoffset=${1 - Math.max(0, this.progress ?? 0)} opacity=${known ? 1 : 0} />
      </svg>
      <div class="head"><slot name="head"></slot></div>
      <div class="floor"><slot></slot></div>
      ${this.progress === null
        ? nothing
        : html`<div class="visually-hidden" role="progressbar" aria-label=${this.label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${known ? Math.round(100 * this.progress) : nothing}></div>`}
    `;
  }
}
