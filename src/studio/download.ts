// Hands a file to the user.

/** Saves bytes under a name; `words` are made fit for every file system. */
export function save(png: Uint8Array<ArrayBuffer>, words: string): void {
  const url = URL.createObjectURL(new Blob([png], { type: "image/png" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: fileName(words) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** "red apple, 3d" → "red-apple-3d.png", in any script. */
export function fileName(words: string): string {
  const stem = words.normalize("NFC").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "");
  return `${[...stem].slice(0, 60).join("").replace(/-$/, "") || "kiln"}.png`;
}
