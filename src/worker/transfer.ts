// What comlink cannot carry by itself: abort signals, async iterators, and errors with their class. Install once on each side.
import { expose, releaseProxy, transfer, transferHandlers, wrap, type Remote, type TransferHandler } from "comlink";
import { fromWire, toWire, type WireError } from "./errors.ts";

export function installTransferHandlers(): void {
  if (transferHandlers.has("kiln-signal")) return;
  transferHandlers.set("kiln-signal", signalHandler);
  transferHandlers.set("kiln-iterator", iteratorHandler);
  const thrown = transferHandlers.get("throw");
  if (thrown !== undefined) transferHandlers.set("throw", { canHandle: thrown.canHandle, ...errorHandler });
}

// ── errors ──────────────────────────────────────────────────────────────────────────────────────

const errorHandler: Pick<TransferHandler<{ value: unknown }, WireError>, "serialize" | "deserialize"> = {
  serialize: ({ value }) => [toWire(value), []],
  deserialize(wire) {
    throw fromWire(wire);
  },
};

// ── abort signals ───────────────────────────────────────────────────────────────────────────────

interface WireSignal {
  readonly aborted: WireError | null;
  readonly port: MessagePort;
}

const signalPorts = new WeakMap<AbortSignal, MessagePort>();

const signalHandler: TransferHandler<AbortSignal, WireSignal> = {
  canHandle: (value): value is AbortSignal => value instanceof AbortSignal,
  serialize(signal) {
    const { port1, port2 } = new MessageChannel();
    const tell = () => port1.postMessage(toWire(signal.reason));
    signal.addEventListener("abort", tell, { once: true });
    // The other side answers when it is done with the signal, which may live much longer than one call.
    port1.onmessage = () => {
      signal.removeEventListener("abort", tell);
      port1.close();
    };
    return [{ aborted: signal.aborted ? toWire(signal.reason) : null, port: port2 }, [port2]];
  },
  deserialize({ aborted, port }) {
    const controller = new AbortController();
    if (aborted !== null) controller.abort(fromWire(aborted));
    port.onmessage = (event: MessageEvent<WireError>) => controller.abort(fromWire(event.data));
    signalPorts.set(controller.signal, port);
    return controller.signal;
  },
};

/** Lets go of a signal that came from the other side: both ports close. */
export function releaseSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  signalPorts.get(signal)?.postMessage(null);
  signalPorts.delete(signal);
}

// ── async iterators ─────────────────────────────────────────────────────────────────────────────

/** What a port offers of an iterator. */
interface ExposedIterator {
  next(): Promise<IteratorResult<unknown, unknown>>;
  return(): Promise<void>;
}

const iteratorHandler: TransferHandler<AsyncGenerator<unknown, unknown, void>, MessagePort> = {
  canHandle: (value): value is AsyncGenerator<unknown, unknown, void> =>
    typeof value === "object" && value !== null && Symbol.asyncIterator in value && "next" in value,
  serialize(generator) {
    const { port1, port2 } = new MessageChannel();
    expose(oneAhead(generator), port1);
    return [port2, [port2]];
  },
  deserialize(port) {
    port.start();
    return pullFrom(wrap<ExposedIterator>(port));
  },
};

/** The other side's generator as one of ours: left early, it ends the other; ended in any way, it closes the port. */
async function* pullFrom(remote: Remote<ExposedIterator>): AsyncGenerator<unknown, unknown, void> {
  try {
    for (;;) {
      const item = await remote.next();
      if (item.done) return item.value;
      yield item.value;
    }
  } finally {
    await remote.return(); // nothing to do where it has ended by itself
    remote[releaseProxy]();
  }
}

/** Works on the next item while the last one is under way to the other side, and on no more than that one. */
function oneAhead(generator: AsyncGenerator<unknown, unknown, void>): ExposedIterator {
  let ahead: Promise<IteratorResult<unknown, unknown>> | null = null;
  const pull = () => {
    const next = generator.next();
    next.catch(() => {}); // told when it is asked for
    return next;
  };
  return {
    async next() {
      const item = await (ahead ?? pull());
      ahead = item.done ? null : pull();
      return transfer(item, buffersOf(item));
    },
    async return() {
      await generator.return(undefined);
    },
  };
}

/** Every ArrayBuffer in plain data, once: what moves over instead of being copied. */
export function buffersOf(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const visit = (at: unknown): void => {
    if (at instanceof ArrayBuffer) found.add(at);
    else if (ArrayBuffer.isView(at)) visit(at.buffer);
    else if (Array.isArray(at)) at.forEach(visit);
    else if (typeof at === "object" && at !== null && Object.getPrototypeOf(at) === Object.prototype) Object.values(at).forEach(visit);
  };
  visit(value);
  return [...found];
}
