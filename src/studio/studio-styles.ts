// The layout of the page: two columns and a gallery on a desk, one column on a phone.
import { css } from "lit";

export const studioStyles = css`
  :host {
    min-height: 100vh;
    background: var(--bg);
  }
  .page {
    max-width: 76rem;
    margin: 0 auto;
    padding: 0 clamp(1rem, 4vw, 3rem) 3rem;
  }
  main {
    display: grid;
    gap: clamp(3rem, 7vw, 5rem);
  }
  .workshop {
    display: grid;
    grid-template-columns: minmax(0, 29rem) minmax(0, 1fr);
    gap: clamp(2rem, 6vw, 5.5rem);
    align-items: start;
    padding-top: clamp(1rem, 4vh, 2.75rem);
  }
  h1 {
    margin-bottom: 1.75rem;
    font-size: clamp(2rem, 3.6vw, 2.875rem);
    font-weight: 650;
    letter-spacing: -0.04em;
    line-height: 1.06;
    text-wrap: balance;
  }
  kiln-stage {
    position: sticky;
    top: 1.5rem;
    container-type: inline-size;
  }
  .tools {
    display: flex;
    flex-wrap: wrap;
    justify-content: center;
    gap: 0.5rem;
  }
  details {
    margin-top: 1.25rem;
  }
  summary {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    min-height: 2.75rem;
    font-size: 0.9375rem;
    font-weight: 550;
    cursor: pointer;
    list-style: none;
    border-radius: 8px;
  }
  summary::-webkit-details-marker {
    display: none;
  }
  summary svg:last-child {
    margin-left: auto;
    color: var(--muted);
    transition: transform 0.2s;
  }
  details[open] summary svg:last-child {
    transform: rotate(180deg);
  }
  details kiln-settings {
    padding-top: 0.75rem;
  }
  footer {
    display: grid;
    gap: 2.5rem;
    margin-top: clamp(3.5rem, 8vw, 5.5rem);
    padding-top: 2.5rem;
    border-top: 1px solid var(--line);
  }
  .drop {
    position: fixed;
    inset: 0.75rem;
    z-index: 10;
    display: grid;
    place-items: center;
    border: 2.5px dashed var(--accent);
    border-radius: 24px;
    background: color-mix(in srgb, var(--bg) 88%, transparent);
    font-size: 1.375rem;
    font-weight: 600;
    pointer-events: none;
  }
  .notice {
    padding: 0.75rem 1rem;
    border-radius: var(--radius-small);
    background: var(--danger-soft);
    font-size: 0.9375rem;
  }
  @media (max-width: 58rem) {
    .workshop {
      grid-template-columns: minmax(0, 1fr);
    }
    .words {
      display: contents;
    }
    h1 {
      margin-bottom: 0.25rem;
    }
    kiln-stage {
      position: static;
    }
    .workshop {
      gap: 1.5rem;
    }
    details {
      margin-top: 0;
      order: 3;
      padding: 0 1rem 0.25rem;
      border: 1px solid var(--line);
      border-radius: var(--radius);
      background: var(--surface);
    }
    details[open] {
      padding-bottom: 1.25rem;
    }
  }
`;
