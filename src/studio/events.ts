// What the studio's elements tell each other: events with their details, all of which bubble out of shadow roots.
import type { Recipe } from "../pipelines/types.ts";
import type { Picture } from "./gallery-store.ts";
import type { ModelChoice } from "./model-choice.ts";
import type { Settings } from "./settings.ts";

export interface StudioEvents {
  /** Settings that the user has changed. */
  "kiln-change": Partial<Settings>;
  "kiln-generate": undefined;
  "kiln-cancel": undefined;
  /** Take a recipe's settings over into the form. */
  "kiln-use-recipe": Recipe;
  "kiln-open-picture": Picture;
  "kiln-delete-picture": Picture;
  "kiln-download-picture": Picture;
  /** Pictures that were dropped or picked, to be asked where they come from. */
  "kiln-inspect": File;
  "kiln-choose-model": ModelChoice;
  "kiln-open-model-panel": undefined;
  "kiln-toggle-theme": undefined;
}

export type StudioEvent<Name extends keyof StudioEvents> = CustomEvent<StudioEvents[Name]>;

export function emit<Name extends keyof StudioEvents>(from: EventTarget, name: Name, ...[detail]: StudioEvents[Name] extends undefined ? [] : [StudioEvents[Name]]): void {
  from.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
}
