// Scopes free what a stretch of synchronous code made, except what it keeps.
import type { MemoryMeter } from "./storage.ts";
import "./symbol-dispose.ts";

/** What a scope can own. */
export interface Owned {
  dispose(): void;
}

/** Frees everything made since it was opened, unless kept. `using scope = gpu.scope()`; last opened, first closed. */
export class Scope {
  readonly #owned = new Set<Owned>();
  #closed = false;

  /** `use` counts the bytes that were allocated and freed since the scope was opened, inner scopes included. */
  constructor(readonly parent: Scope | null, readonly use: MemoryMeter, private readonly onClose: (scope: Scope) => void) {}

  add(owned: Owned): void {
    this.#owned.add(owned);
  }

  remove(owned: Owned): void {
    this.#owned.delete(owned);
  }

  /** Hands a value to the enclosing scope; from the outermost one, to the caller, who disposes it. */
  keep<T extends Owned>(value: T): T {
    if (this.#owned.delete(value)) this.parent?.add(value);
    return value;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.onClose(this);
    } finally {
      for (const owned of [...this.#owned]) owned.dispose();
      this.#owned.clear();
      this.use.stop();
    }
  }
}

/** The stack of open scopes. It never outlives a synchronous stretch of code: that is what keeps interleaved generations apart. */
export class ScopeStack {
  #top: Scope | null = null;
  readonly #abandoned = new WeakSet<Scope>();

  constructor(private readonly meter: () => MemoryMeter) {}

  get top(): Scope | null {
    return this.#top;
  }

  open(): Scope {
    const outermost = this.#top === null;
    const scope = new Scope(this.#top, this.meter(), (closing) => this.#close(closing));
    this.#top = scope;
    if (outermost) queueMicrotask(() => this.#expectClosed(scope));
    return scope;
  }

  #close(scope: Scope): void {
    if (this.#abandoned.has(scope)) throw new Error("scope: was open across an await or yield; close it within synchronous code");
    if (this.#top !== scope) {
      this.#top = null;
      throw new Error("scope: closed out of order; the last opened closes first");
    }
    this.#top = scope.parent;
  }

  /** A scope still open when its synchronous code has ended is taken off the stack, so that nobody else's tensors land in it; closing it throws. */
  #expectClosed(outermost: Scope): void {
    const open: Scope[] = [];
    for (let scope = this.#top; scope; scope = scope.parent) open.push(scope);
    if (!open.includes(outermost)) return;
    for (const scope of open) this.#abandoned.add(scope);
    this.#top = null;
  }
}
