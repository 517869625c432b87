// The studio's icons, each one path on a 24-unit grid.
import { svg, html, type TemplateResult } from "lit";

const paths = {
  dice: "M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1ZM8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01",
  download: "M12 4v11M7.5 11 12 15.5 16.5 11M5 19.5h14",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  trash: "M4.5 7h15M10 11v6M14 11v6M6.5 7l.8 12.5h9.4L17.5 7M9.5 7V4.5h5V7",
  close: "M6 6l12 12M18 6 6 18",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10Z",
  sliders: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  chevron: "m6.5 9.5 5.5 5.5 5.5-5.5",
  folder: "M3.5 18.5v-13h6l2 2.5h9v10.5z",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7L12 7M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7L12 17",
  again: "M4.5 12a7.5 7.5 0 1 0 2.2-5.3L4.5 9M4.5 4.5V9H9",
  search: "M11 4.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM16 16l4 4",
  alert: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17h.01",
  stop: "M7 7h10v10H7z",
  check: "m5 12.5 4.5 4.5L19 7.5",
  pin: "M12 21v-6M7 15h10l-1.5-3.5V5H17V3.5H7V5h1.5v6.5z",
} as const;

export type IconName = keyof typeof paths;

export function icon(name: IconName, size = 20): TemplateResult {
  const line = svg`<path d=${paths[name]} />`;
  return html`<svg width=${size} height=${size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${line}</svg>`;
}

/** public/icon.svg, small. */
export function logo(): TemplateResult {
  return html`
    <svg width="32" height="32" viewBox="0 0 64 64" aria-hidden="true">
      <radialGradient id="logo-fire" cx="50%" cy="100%" r="88%">
        <stop offset="0" stop-color="#ffe7a8" />
        <stop offset=".28" stop-color="#ffad4a" />
        <stop offset=".62" stop-color="#e2501d" />
        <stop offset="1" stop-color="#7a1f10" />
      </radialGradient>
      <path d="M0 0h64v64H0z" fill="#2b1a13" />
      <path d="M12 50V32c0-11.6 9-20 20-20s20 8.4 20 20v18z" fill="#e0b391" />
      <path d="M18.5 50V32.5c0-8 6-14 13.5-14s13.5 6 13.5 14V50z" fill="url(#logo-fire)" />
      <path d="M9 50h46v4H9z" fill="#c99774" />
    </svg>
  `;
}
