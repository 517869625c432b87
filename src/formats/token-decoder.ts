// Decoders of tokenizer.json as streams, equal to Hugging Face's tokenizers (decoders/*.rs): tokens go in one at a time, and
// text comes out as soon as it is certain, so never half a character. What all pushes gave together is what the whole list
// of tokens decodes to.
import { fromByteLevelToken } from "./byte-level.ts";
import { FormatError } from "./errors.ts";
import { isObject } from "./json.ts";
import { schemeOf } from "./pre-tokenizer.ts";
import { readPattern } from "./text-pattern.ts";
import { listOf, stringOf } from "./text-normalizer.ts";

/** Takes a piece; `starts` says that it begins a token, and does not go on with the one before. */
type Sink = (piece: string, starts: boolean) => void;

/** One step of a chain. It keeps what later tokens can still change. */
interface Step {
  push(piece: string, starts: boolean, out: Sink): void;
  end(out: Sink): void;
}

interface StepKind {
  open(): Step;
  /** What a token means in the middle of a text, as far as this step says. */
  token(piece: string | Uint8Array): string | Uint8Array;
}

/** A chain of steps, as read from a tokenizer.json. */
export class TokenDecoder {
  readonly #kinds: readonly StepKind[];

  /** null: tokens are joined by spaces. Throws FormatError naming what is not supported. */
  constructor(value: unknown) {
    this.#kinds = value === null || value === undefined ? [separated] : readSteps(value);
  }

  /** A new stream. */
  open(): DecoderStream {
    return new DecoderStream(this.#kinds.map((kind) => kind.open()));
  }

  /** The bytes that a token stands for in the middle of a text. */
  bytes(token: string): Uint8Array {
    const meant = this.#kinds.reduce<string | Uint8Array>((piece, kind) => kind.token(piece), token);
    return typeof meant === "string" ? new TextEncoder().encode(meant) : meant;
  }
}

export class DecoderStream {
  readonly #steps: readonly Step[];

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  /** The text that this token makes certain. */
  push(token: string): string {
    return this.#from(0, (out) => out(token, true));
  }

  /** The rest; an incomplete character becomes U+FFFD. */
  end(): string {
    return this.#steps.map((step, i) => this.#from(i + 1, (out) => step.end(out))).join("");
  }

  #from(first: number, feed: (out: Sink) => void): string {
    let text = "";
    const sinks: Sink[] = [(piece) => void (text += piece)];
    for (let i = this.#steps.length - 1; i >= first; i--) {
      const next = sinks[sinks.length - 1];
      sinks.push((piece, starts) => this.#steps[i].push(piece, starts, next));
    }
    feed(sinks[sinks.length - 1]);
    return text;
  }
}

const maxSteps = 32;

function readSteps(value: unknown): StepKind[] {
  const listed = isObject(value) && value.type === "Sequence" ? listOf(value.decoders, "decoders") : [value];
  if (listed.length > maxSteps) throw new FormatError(`a decoder of ${listed.length} steps is not supported`);
  let joined = false; // whether what comes is one token in pieces
  return listed.map((step) => {
    const type = isObject(step) ? step.type : step;
    if (joined && (type === "Replace" || type === "ByteFallback")) throw new FormatError(`the decoder ${type} after one that joins all tokens is not supported`);
    if (type === "ByteLevel" || type === "Fuse") joined = true;
    return readStep(step);
  });
}

function readStep(value: unknown): StepKind {
  if (!isObject(value)) throw new FormatError(`a decoder is no object: ${JSON.stringify(value)?.slice(0, 200)}`);
  switch (value.type) {
    case "ByteLevel":
      return byteLevel;
    case "ByteFallback":
      return byteFallback;
    case "Fuse":
      return fuse;
    case "Replace": {
      const pattern = readPattern(value.pattern);
      const content = stringOf(value.content, "Replace");
      return each((piece) => piece.replace(pattern, () => content));
    }
    case "Strip": {
      const { content, start, stop } = value;
      const counts = [start, stop].map((count) => (typeof count === "number" && Number.isInteger(count) && count >= 0 && count <= 1000 ? count : undefined));
      if (typeof content !== "string" || Array.from(content).length !== 1 || counts[0] === undefined || counts[1] === undefined) throw new FormatError("Strip: content of one character, start and stop expected");
      return strip(content, counts[0], counts[1]);
    }
    case "Metaspace":
      return metaspace(stringOf(value.replacement, "Metaspace"), schemeOf(value.prepend_scheme, value.add_prefix_space) !== "never");
    default:
      throw new FormatError(`the decoder ${JSON.stringify(value.type)} is not supported`);
  }
}

function ofText(change: (piece: string) => string): StepKind["token"] {
  return (piece) => (typeof piece === "string" ? change(piece) : piece);
}

/** A step that changes each token by itself. */
function each(change: (piece: string) => string): StepKind {
  return { token: ofText(change), open: () => ({ push: (piece, starts, out) => out(change(piece), starts), end() {} }) };
}

const fuse: StepKind = {
  token: (piece) => piece,
  open() {
    let first = true;
    return {
      push(piece, _starts, out) {
        out(piece, first);
        first = false;
      },
      end() {},
    };
  },
};

const separated: StepKind = {
  token: ofText((piece) => ` ${piece}`),
  open() {
    let first = true;
    return {
      push(piece, _starts, out) {
        out(first ? piece : ` ${piece}`, true);
        first = false;
      },
      end() {},
    };
  },
};

const byteLevel: StepKind = {
  token: (piece) => (typeof piece === "string" ? fromByteLevelToken(piece) : piece),
  open() {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let first = true;
    const emit = (text: string, out: Sink): void => {
      if (text === "") return;
      out(text, first);
      first = false;
    };
    return {
      push: (piece, _starts, out) => emit(decoder.decode(fromByteLevelToken(piece), { stream: true }), out),
      end: (out) => emit(decoder.decode(), out),
    };
  },
};

/** A run of byte tokens is text only as a whole: one wrong byte makes every byte of the run U+FFFD, so the run's end is waited for. */
const byteFallback: StepKind = {
  token: (piece) => (typeof piece === "string" && byteOf(piece) !== null ? Uint8Array.of(byteOf(piece) ?? 0) : piece),
  open() {
    let run: number[] = [];
    const flush = (out: Sink): void => {
      if (run.length === 0) return;
      const bytes = Uint8Array.from(run);
      run = [];
      let text: string | null = null;
      try {
        text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {
        for (const _ of bytes) out("\ufffd", true);
      }
      if (text !== null) out(text, true);
    };
    return {
      push(piece, starts, out) {
        const byte = byteOf(piece);
        if (byte !== null) {
          run.push(byte);
          return;
        }
        flush(out);
        out(piece, starts);
      },
      end: flush,
    };
  },
};

function byteOf(token: string): number | null {
  return /^<0x[0-9A-Fa-f]{2}>$/.test(token) ? parseInt(token.slice(3, 5), 16) : null;
}

/** Takes up to `start` of a character off a token's beginning, up to `stop` off its end. */
function strip(content: string, start: number, stop: number): StepKind {
  return {
    token: (piece) => piece,
    open() {
      let before = start; // how many may still be taken
      let held = 0; // seen last, and taken unless something follows
      return {
        push(piece, starts, out) {
          if (starts) [before, held] = [start, 0];
          let kept = starts ? "" : content.repeat(held);
          held = 0;
          let at = 0;
          for (; before > 0 && piece.startsWith(content, at); before--) at += content.length;
          if (at < piece.length) before = 0;
          kept += piece.slice(at);
          for (; held < stop && kept.endsWith(content); held++) kept = kept.slice(0, -content.length);
          if (kept !== "" || starts) out(kept, starts);
        },
        end() {},
      };
    },
  };
}

function metaspace(replacement: string, prefixed: boolean): StepKind {
  return {
    token: ofText((piece) => piece.replaceAll(replacement, " ")),
    open() {
      let index = -1;
      return {
        push(piece, starts, out) {
          if (starts) index++;
          out(piece.replaceAll(replacement, index <= 0 && prefixed ? "" : " "), starts);
        },
        end() {},
      };
    },
  };
}
