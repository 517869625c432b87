// Errors across the worker's boundary: class name, message, kind and way out survive, so `instanceof` and `switch (error.kind)` work.
import { FormatError } from "../formats/errors.ts";
import { GpuError } from "../gpu/errors.ts";
import { HubError } from "../hub/errors.ts";
import { CheckpointError, ConfigError } from "../nn/errors.ts";
import { GrammarError } from "../sampling/grammar/errors.ts";
import { ShapeError } from "../tensor/shape.ts";

/** The worker itself is gone, so every call to it fails. */
export class WorkerError extends Error {
  override readonly name = "WorkerError";
  readonly wayOut = "Run it again: a new worker is started";

  /** `what` says what happened to the worker. */
  constructor(what: string) {
    super(`${what}. Run it again: a new worker is started.`);
  }
}

/** A thrown value as plain data. */
export type WireError = { readonly value: unknown } | { readonly name: string; readonly message: string; readonly stack?: string; readonly own: Readonly<Record<string, unknown>> };

/** Classes that a receiver may test for with `instanceof`; any other error arrives as Error with its own name. */
const classes: ReadonlyMap<string, { readonly prototype: Error }> = new Map(Object.entries({
  EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, // by keys: a minifier renames classes
  CheckpointError, ConfigError, FormatError, GpuError, GrammarError, HubError, ShapeError, WorkerError,
}));

export function toWire(thrown: unknown): WireError {
  if (!(thrown instanceof Error)) return { value: thrown };
  const { name, message, stack } = thrown;
  return { name, message, stack, own: thrown instanceof DOMException ? {} : plainFields(thrown) };
}

/** The fields that the error's class adds (kind, wayOut, …), as far as they are plain values. */
function plainFields(error: Error): Record<string, unknown> {
  const plain = Object.entries(error).filter(([name, value]) => name !== "name" && (value === null || /string|number|boolean|bigint/.test(typeof value)));
  return Object.fromEntries(plain);
}

export function fromWire(wire: WireError): unknown {
  if ("value" in wire) return wire.value;
  const { name, message, stack, own } = wire;
  if (domExceptions.has(name)) return new DOMException(message, name);
  const error = new Error(message);
  const type = classes.get(name);
  if (type !== undefined) Object.setPrototypeOf(error, type.prototype);
  if (error.name !== name) Object.defineProperty(error, "name", { value: name, configurable: true });
  return Object.assign(error, own, { stack });
}

/** Names under which browsers throw a DOMException. */
const domExceptions: ReadonlySet<string> = new Set([
  "AbortError", "DataCloneError", "InvalidStateError", "NetworkError", "NotAllowedError", "NotFoundError", "NotReadableError", "OperationError",
  "QuotaExceededError", "SecurityError", "TimeoutError",
]);
