// Which model the user chose, as it can be shown, opened and (all but local files) remembered.
import type { ModelPlace, PlainPipelineOptions } from "../worker/service.ts";

/** The hub that "owner/name" stands for when a user types it. */
export const hubUrl = "https://huggingface.co";

export type ModelChoice =
  | { readonly kind: "shipped"; readonly name: string }
  /** "owner/name" on the hub, or a folder's address: the only choices that make this page ask another site. */
  | { readonly kind: "remote"; readonly name: string }
  | { readonly kind: "picked"; readonly name: string; readonly place: FileSystemDirectoryHandle | readonly File[] };

export const shippedModel: ModelChoice = { kind: "shipped", name: "emoji" };

/** Where to open a choice, and with which options. */
export function placeOf(choice: ModelChoice): { readonly place: ModelPlace; readonly options: PlainPipelineOptions } {
  if (choice.kind === "picked") return { place: choice.place, options: {} };
  return { place: choice.name, options: choice.kind === "remote" ? { hubUrl } : {} };
}

/** What a user typed, as a remote model; a string says what is wrong with it. */
export function readRemote(typed: string): ModelChoice | string {
  const name = typed.trim();
  if (/^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(name)) return { kind: "remote", name };
  if (!/^https?:\/\//i.test(name)) return "Type owner/name, or a folder's address that begins with https://";
  const url = URL.parse(name);
  if (url === null) return "This address cannot be read";
  const local = url.hostname === "localhost" || url.hostname === "127.0.0.1";
  return url.protocol === "https:" || local ? { kind: "remote", name: url.href } : "Only https: addresses can be asked from a page";
}

/** The host that a choice makes this page ask, or null. */
export function hostOf(choice: ModelChoice): string | null {
  if (choice.kind !== "remote") return null;
  return new URL(/^https?:/i.test(choice.name) ? choice.name : hubUrl).host;
}

const storageKey = "kiln.model";

export function loadChoice(storage: Storage | undefined = globalThis.localStorage): ModelChoice {
  const remembered = readRemote(storage?.getItem(storageKey) ?? "");
  return typeof remembered === "string" ? shippedModel : remembered;
}

/** Picked files cannot be found again after a reload, so then the shipped model is the next visit's. */
export function saveChoice(choice: ModelChoice, storage: Storage | undefined = globalThis.localStorage): void {
  if (choice.kind === "remote") storage?.setItem(storageKey, choice.name);
  else storage?.removeItem(storageKey);
}
