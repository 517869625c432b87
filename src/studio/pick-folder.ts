// Lets the user pick a model's folder: by the directory picker where there is one, by a file input elsewhere.
import type { ModelChoice } from "./model-choice.ts";

/** In Chromium; TypeScript's DOM library does not know it. */
type DirectoryPicker = (options: { mode: "read"; id: string }) => Promise<FileSystemDirectoryHandle>;

/** The folder, or null where the user thought better of it. */
export async function pickFolder(): Promise<ModelChoice | null> {
  if (!("showDirectoryPicker" in window)) return pickFiles();
  try {
    const pick = window.showDirectoryPicker as DirectoryPicker;
    const place = await pick({ mode: "read", id: "kiln-model" });
    return { kind: "picked", name: place.name, place };
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return null;
    throw error;
  }
}

function pickFiles(): Promise<ModelChoice | null> {
  return new Promise((resolve) => {
    const input = Object.assign(document.createElement("input"), { type: "file", webkitdirectory: true, multiple: true });
    input.addEventListener("cancel", () => resolve(null));
    input.addEventListener("change", () => {
      const place = [...(input.files ?? [])];
      const [name] = place[0]?.webkitRelativePath.split("/") ?? [];
      resolve(place.length === 0 ? null : { kind: "picked", name: name || "picked files", place });
    });
    input.click();
  });
}
