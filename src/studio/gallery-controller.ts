// The gallery's state for the page: pictures kept and shown, downloads, and what dropped files say of their origin.
import type { ReactiveController, ReactiveControllerHost } from "lit";
import { decodePng } from "../formats/png.ts";
import type { GeneratedImage } from "../pipelines/types.ts";
import { inspect } from "../provenance/inspect.ts";
import { markedPng, withoutRecipe } from "../provenance/mark.ts";
import { save } from "./download.ts";
import { deletePicture, keepPicture, listPictures, type Picture } from "./gallery-store.ts";
import type { Origin } from "./origin-dialog.ts";
import { releasePictureUrl } from "./picture-url.ts";
import { problemOf } from "./words.ts";

export class GalleryController implements ReactiveController {
  /** Newest first. */
  pictures: readonly Picture[] = [];
  /** Those of the last generation. */
  fresh: readonly Picture[] = [];
  /** The file that was asked about last. */
  origin: Origin | null = null;
  /** Why pictures cannot be kept, in words; "" while they can. */
  problem = "";
  readonly #host: ReactiveControllerHost;

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  hostConnected(): void {
    void this.#guard(async () => {
      const kept = await listPictures();
      const made = new Set(this.pictures.map(({ id }) => id)); // while the list was read
      this.pictures = [...this.pictures, ...kept.filter(({ id }) => !made.has(id))];
    });
  }

  /** Keeps the pictures of a generation; where the browser does not let us, they are still shown until the page is closed. */
  async add(images: readonly GeneratedImage[]): Promise<void> {
    const made: Picture[] = [];
    for (const image of images) made.push({ id: newId(image.recipe), png: await markedPng(image), recipe: image.recipe });
    this.fresh = made;
    this.pictures = [...made, ...this.pictures];
    this.#host.requestUpdate();
    await this.#guard(() => Promise.all(made.map(keepPicture)));
  }

  async remove(picture: Picture): Promise<void> {
    this.pictures = this.pictures.filter((one) => one !== picture);
    this.fresh = this.fresh.filter((one) => one !== picture);
    releasePictureUrl(picture);
    this.#host.requestUpdate();
    await this.#guard(() => deletePicture(picture));
  }

  download({ png, recipe }: Picture, keepRecipe: boolean): void {
    save(keepRecipe ? png : withoutRecipe(png), `${recipe.prompt} ${recipe.seed}${recipe.count > 1 ? ` ${recipe.index + 1}` : ""}`);
  }

  async inspect(file: File): Promise<void> {
    const inspection = await inspect(file);
    const bytes = new Uint8Array(await file.arrayBuffer());
    this.origin = { file, inspection, inGallery: inspection.madeByKiln && (await this.#holds(bytes)) };
    this.#host.requestUpdate();
  }

  /** Whether a kept picture has the very same pixels. */
  async #holds(bytes: Uint8Array): Promise<boolean> {
    const { data } = await decodePng(bytes);
    for (const { png } of this.pictures) {
      if (same((await decodePng(png)).data, data)) return true;
    }
    return false;
  }

  async #guard(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      this.problem = "";
    } catch (error) {
      const { title, detail } = problemOf(error);
      this.problem = `Pictures are not kept for the next visit: ${title}. ${detail}`;
    }
    this.#host.requestUpdate();
  }
}

function newId({ seed, index }: GeneratedImage["recipe"]): string {
  return `${new Date().toISOString()} ${seed} ${index}`;
}

function same(a: Uint8Array | Uint8ClampedArray, b: Uint8Array | Uint8ClampedArray): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
