// Styles that the studio's elements share: boxes, buttons, fields, chips. Their colours are in tokens.css.
import { css } from "lit";

export const base = css`
  :host {
    display: block;
    font-family: var(--font);
    color: var(--text);
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  h1, h2, h3, p, dl, dd, ul {
    margin: 0;
  }
  ul {
    padding: 0;
    list-style: none;
  }
  :focus-visible {
    outline: 2.5px solid var(--accent);
    outline-offset: 2px;
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .muted {
    color: var(--muted);
  }
  .small {
    font-size: 0.875rem;
  }
  a {
    color: var(--accent);
    text-underline-offset: 0.2em;
  }
  svg {
    display: block;
    flex: none;
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation: none !important;
      transition: none !important;
    }
  }
`;

export const controls = css`
  button {
    font: inherit;
    color: inherit;
    background: none;
    border: 0;
    padding: 0;
    cursor: pointer;
    -webkit-tap-highlight-color: transparent;
  }
  button:disabled {
    cursor: default;
    opacity: 0.5;
  }
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 0.5rem;
    min-height: 2.5rem;
    padding: 0 1rem;
    border: 1px solid var(--line);
    border-radius: var(--radius-small);
    background: var(--surface);
    font-size: 0.9375rem;
    font-weight: 500;
    white-space: nowrap;
    transition: background 0.15s, border-color 0.15s, transform 0.1s;
  }
  .button:hover:not(:disabled) {
    background: var(--raised);
    border-color: var(--line-strong);
  }
  .button:active:not(:disabled) {
    transform: translateY(1px);
  }
  .button.primary {
    border-color: transparent;
    background: var(--accent);
    color: var(--on-accent);
    font-weight: 600;
  }
  .button.primary:hover:not(:disabled) {
    background: var(--accent-hover);
  }
  .button.danger {
    color: var(--danger);
  }
  .button.plain {
    border-color: transparent;
    background: none;
  }
  .icon-button {
    display: inline-grid;
    place-items: center;
    width: 2.5rem;
    height: 2.5rem;
    border-radius: var(--radius-small);
    color: var(--muted);
    transition: background 0.15s, color 0.15s;
  }
  .icon-button:hover:not(:disabled) {
    background: var(--raised);
    color: var(--text);
  }
  .chip {
    display: inline-flex;
    align-items: center;
    min-height: 2.25rem;
    padding: 0 0.875rem;
    border: 1px solid var(--line);
    border-radius: 99px;
    background: var(--surface);
    font-size: 0.9375rem;
    white-space: nowrap;
    transition: background 0.15s, border-color 0.15s;
  }
  .chip:hover {
    border-color: var(--line-strong);
  }
  label,
  .label {
    font-size: 0.875rem;
    font-weight: 550;
  }
  input[type="text"],
  input[type="url"],
  input[type="number"],
  select,
  textarea {
    width: 100%;
    min-height: 2.5rem;
    padding: 0.5rem 0.75rem;
    border: 1px solid var(--line-strong);
    border-radius: var(--radius-small);
    background: var(--surface);
    color: var(--text);
    font: inherit;
    font-size: 0.9375rem;
  }
  ::placeholder {
    color: var(--muted);
    opacity: 1;
  }
  input[type="range"] {
    width: 100%;
    height: 1.5rem;
    margin: 0;
    accent-color: var(--accent);
  }
  input[type="checkbox"] {
    width: 1.125rem;
    height: 1.125rem;
    margin: 0;
    accent-color: var(--accent);
    flex: none;
  }
`;
