// <kiln-pixels .pixels=${…} label="…">: bytes from a pipeline on a canvas, scaled to the element's width.
import { css, html, LitElement, type PropertyValues } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import type { Pixels } from "../pipelines/types.ts";

@customElement("kiln-pixels")
export class KilnPixels extends LitElement {
  static override styles = css`
    :host {
      display: block;
    }
    canvas {
      display: block;
      width: 100%;
      height: 100%;
      object-fit: contain;
    }
  `;

  @property({ attribute: false }) pixels: Pixels | null = null;
  @property() label = "";

  @query("canvas") private canvas!: HTMLCanvasElement;

  protected override render() {
    return html`<canvas role="img" aria-label=${this.label}></canvas>`;
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (!changed.has("pixels") || this.pixels === null) return;
    const { width, height, data } = this.pixels;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.canvas.getContext("2d")?.putImageData(new ImageData(data, width, height), 0, 0);
  }
}
