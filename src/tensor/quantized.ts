// A matrix whose rows are quantised in blocks: planes of words on the GPU, laid out by packing.ts.
import type { GgmlBlockType } from "../formats/ggml-blocks.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { BLOCK, blockElements, type Packing, PACKINGS, planeWords } from "./packing.ts";
import { type Planes, repack } from "./repack.ts";
import { formatShape, type Shape, ShapeError } from "./shape.ts";
import { empty, type Tensor, writeBytes } from "./tensor.ts";

export class QuantizedTensor {
  readonly packing: Packing;
  /** Blocks of 32 in a row. */
  readonly blocks: number;
  /** Words, one plane after another; planes that the packing lacks are null. */
  readonly planes: { readonly low: Tensor; readonly high: Tensor | null; readonly scales: Tensor; readonly supers: Tensor | null };

  /** Unspecified values of shape [N, K], allocated for long; `fill` follows. Throws ShapeError unless K is whole blocks. */
  constructor(readonly gpu: Gpu, readonly shape: Shape, readonly type: GgmlBlockType, label = "quantised") {
    const [rows, cols] = shape;
    if (shape.length !== 2 || cols % blockElements(type) !== 0) throw new ShapeError(`${label}: ${type} expected rows of a multiple of ${blockElements(type)}, got ${formatShape(shape)}`);
    this.packing = PACKINGS[type];
    this.blocks = cols / BLOCK;
    const words = planeWords(this.packing, rows * this.blocks);
    const plane = (name: keyof typeof words) => empty(gpu, [words[name]], "u32", { recycle: false, label: `${label}.${name}` });
    this.planes = { low: plane("low"), high: words.high ? plane("high") : null, scales: plane("scales"), supers: words.supers ? plane("supers") : null };
  }

  get bytes(): number {
    return Object.values(this.planes).reduce((sum, plane) => sum + (plane?.bytes ?? 0), 0);
  }

  /** Extent of an axis; negative counts from the end. */
  dim(axis: number): number {
    return this.shape.at(axis) ?? 0;
  }

  get rank(): number {
    return 2;
  }

  /** Writes whole blocks in GGML's own layout, from element `start` (a multiple of 256) of the matrix on. */
  fill(start: number, bytes: Uint8Array): void {
    if (start % 256 !== 0) throw new ShapeError(`quantised: filled from a multiple of 256 on, got ${start}`);
    const words: Planes = repack(this.type, bytes);
    const before = planeWords(this.packing, start / BLOCK);
    for (const name of ["low", "high", "scales", "supers"] as const) {
      const plane = this.planes[name];
      if (plane && words[name].length) writeBytes(plane, 4 * before[name], new Uint8Array(words[name].buffer));
    }
  }

  dispose(): void {
    for (const plane of Object.values(this.planes)) plane?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
