// The watermark of a text under way: the last tokens stay on the GPU, and each choice is made from logits that they have marked.
import type { Gpu } from "../gpu/gpu.ts";
import { concat } from "../kernels/concat.ts";
import { greenListOf, watermark, type WatermarkOptions } from "../sampling/watermark.ts";
import { type Tensor, upload } from "../tensor/tensor.ts";

export class TextMark {
  #previous: Tensor; // i32 [B, h]; -1 before a text's beginning

  /** Begins after these prompts; outside of scopes. Throws RangeError that names an option. */
  constructor(gpu: Gpu, private readonly options: WatermarkOptions, prompts: readonly Int32Array[]) {
    const { contextWidth: width } = greenListOf(options);
    const last = new Int32Array(prompts.length * width).fill(-1);
    prompts.forEach((prompt, row) => {
      const tail = prompt.subarray(Math.max(0, prompt.length - width));
      last.set(tail, (row + 1) * width - tail.length);
    });
    this.#previous = upload(gpu, last, [prompts.length, width], "i32");
  }

  /** Logits f32 [B, V], marked; in the open scope. */
  apply(logits: Tensor): Tensor {
    return watermark(logits, this.#previous, this.options);
  }

  /** Goes on after the chosen tokens i32 [B, 1]; in an open scope. */
  follow(token: Tensor): void {
    const { gpu, shape: [, width] } = this.#previous;
    const next = concat(width > 1 ? [this.#previous.slice(1, 1, width), token] : [token], 1);
    gpu.openScope?.remove(next);
    this.#previous.dispose();
    this.#previous = next;
  }

  dispose(): void {
    this.#previous.dispose();
  }
}
