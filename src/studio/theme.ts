// Light or dark: the system's choice until the user makes another.
import type { Settings } from "./settings.ts";

type Theme = Settings["theme"];

/** Puts the theme on the page's root, where tokens.css looks for it. */
export function showTheme(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** Whether what is seen is dark. */
export function isDark(theme: Theme): boolean {
  return theme === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
}

/** The other one; the system's own again where that is the same. */
export function nextTheme(theme: Theme): Theme {
  const wanted = isDark(theme) ? "light" : "dark";
  return isDark("auto") === (wanted === "dark") ? "auto" : wanted;
}
