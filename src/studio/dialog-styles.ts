// Styles of the studio's dialogs, and of the lists of names and values in them.
import { css } from "lit";

export const dialog = css`
  dialog {
    max-width: none;
    max-height: calc(100dvh - 2rem);
    margin: auto;
    padding: 0;
    border: 1px solid var(--line);
    border-radius: 20px;
    background: var(--surface);
    color: var(--text);
    box-shadow: var(--shadow);
    overflow: auto;
  }
  dialog:focus {
    outline: none;
  }
  dialog::backdrop {
    background: rgb(20 10 5 / 55%);
  }
  dialog[open] {
    animation: rise 0.2s ease-out;
  }
  @keyframes rise {
    from {
      transform: translateY(10px);
      opacity: 0;
    }
  }
  .close {
    position: absolute;
    top: 0.875rem;
    right: 0.875rem;
    z-index: 1;
    background: var(--surface);
  }
  dl {
    display: grid;
    font-size: 0.9375rem;
  }
  dl div {
    display: flex;
    justify-content: space-between;
    gap: 1.5rem;
    padding: 0.4375rem 0;
    border-top: 1px solid var(--line);
  }
  dl div:last-child {
    border-bottom: 1px solid var(--line);
  }
  dt {
    color: var(--muted);
    flex: none;
  }
  dd {
    text-align: right;
    overflow-wrap: anywhere;
    font-variant-numeric: tabular-nums;
  }
`;
