// JSON numbers as rules: plain decimals between two bounds, digit by digit.
import type { AutomatonBuilder } from "./automaton.ts";
import { GrammarError } from "./errors.ts";

/** A double keeps every decimal of so many digits apart, so that a bound holds after parsing, too. */
const mostDigits = 15;

export interface Bounds {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** An integer without bounds: up to 15 digits, all of them exact. */
export function emitInteger(builder: AutomatonBuilder, from: number): number {
  return builder.either(from, [
    (at) => builder.literal(at, "0"), // not -0
    (at) => emitDigits(builder, builder.optional(at, (sign) => builder.literal(sign, "-"))),
  ]);
}

/** A number without bounds: up to 15 digits before and after the point, and an exponent of up to two digits. */
export function emitNumber(builder: AutomatonBuilder, from: number): number {
  const digit = (at: number): number => builder.bytes(at, 0x30, 0x39);
  const sign = builder.optional(from, (at) => builder.literal(at, "-"));
  const whole = builder.either(sign, [(at) => builder.literal(at, "0"), (at) => emitDigits(builder, at)]);
  const decimal = builder.optional(whole, (at) => builder.repeat(builder.literal(at, "."), 1, mostDigits, digit));
  return builder.optional(decimal, (at) => {
    const e = builder.either(at, [(letter) => builder.literal(letter, "e"), (letter) => builder.literal(letter, "E")]);
    const signed = builder.either(e, [(next) => next, (next) => builder.literal(next, "-"), (next) => builder.literal(next, "+")]);
    return builder.repeat(signed, 1, 2, digit);
  });
}

function emitDigits(builder: AutomatonBuilder, from: number): number {
  return builder.repeat(builder.bytes(from, 0x31, 0x39), 0, mostDigits - 1, (at) => builder.bytes(at, 0x30, 0x39));
}

/** A number (or integer) between bounds: plain decimals of up to 15 digits, without an exponent. Throws GrammarError for a bound that is no number. */
export function emitBounded(builder: AutomatonBuilder, from: number, bounds: Bounds, integer: boolean, place: string): number {
  const low = tighter(bounds.minimum, bounds.exclusiveMinimum, Math.max, place);
  const high = tighter(bounds.maximum, bounds.exclusiveMaximum, Math.min, place);
  const to = builder.state();
  const none: Bound = { whole: "0", fraction: "", open: false };
  if (!high || high.value >= 0) {
    new Magnitudes(builder, low && low.value >= 0 ? decimalOf(low) : none, high ? decimalOf(high) : null, integer).emit(from, to);
  }
  if (!low || low.value < 0) {
    const least = high && high.value < 0 ? decimalOf(high) : { ...none, open: true }; // no -0
    new Magnitudes(builder, least, low ? decimalOf(low) : null, integer).emit(builder.literal(from, "-"), to);
  }
  return to;
}

interface Limit {
  readonly value: number;
  /** Whether the bound itself is left out. */
  readonly open: boolean;
}

/** The decimal digits of a bound's magnitude, as JavaScript would print it, without an exponent. */
interface Bound {
  readonly whole: string;
  readonly fraction: string;
  readonly open: boolean;
}

function tighter(closed: number | undefined, open: number | undefined, choose: (a: number, b: number) => number, place: string): Limit | null {
  for (const bound of [closed, open]) if (bound !== undefined && !Number.isFinite(bound)) throw new GrammarError(`${place}: a bound that is no number`);
  if (closed === undefined) return open === undefined ? null : { value: open, open: true };
  if (open === undefined) return { value: closed, open: false };
  return closed !== open && choose(closed, open) === closed ? { value: closed, open: false } : { value: open, open: true };
}

function decimalOf({ value, open }: Limit): Bound {
  const [mantissa, exponent = "0"] = String(Math.abs(value)).split("e");
  const [whole, fraction = ""] = mantissa.split(".");
  const shift = Number(exponent);
  const digits = shift < 0 ? "0".repeat(-shift) + whole + fraction : whole + fraction.padEnd(shift, "0");
  const point = whole.length + Math.max(0, shift);
  return { whole: digits.slice(0, point).replace(/^0+(?=.)/, ""), fraction: digits.slice(point).replace(/0+$/, ""), open };
}

/** Decimals without a sign from `low` to `high` (null: without limit). Ways that cannot end within the bounds are left to the builder, which trims them. */
class Magnitudes {
  readonly #states = new Map<string, number>();

  constructor(readonly builder: AutomatonBuilder, readonly low: Bound, readonly high: Bound | null, readonly integer: boolean) {}

  emit(from: number, to: number): void {
    const longest = Math.min(mostDigits, this.high?.whole.length ?? mostDigits);
    for (let whole = this.low.whole.length; whole <= longest; whole++) {
      this.builder.skip(from, this.#after(0, whole, whole === this.low.whole.length, whole === this.high?.whole.length, to));
    }
  }

  /** The state after `count` digits of a decimal with `whole` before the point; `low` and `high` tell whether they equal that bound's so far. */
  #after(count: number, whole: number, low: boolean, high: boolean, to: number): number {
    const key = `${count} ${whole} ${low} ${high}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const state = this.builder.state();
    this.#states.set(key, state);
    if (count >= whole) {
      if (this.#mayEnd(count - whole, low, high)) this.builder.skip(state, to);
      if (this.integer || count === mostDigits) return state;
    }
    const digits = count === whole ? this.builder.literal(state, ".") : state;
    const least = low ? digitOf(this.low, count, whole) : count === 0 && whole > 1 ? 1 : 0;
    const most = high && this.high ? digitOf(this.high, count, whole) : 9;
    for (let digit = least; digit <= most; digit++) {
      this.builder.bytes(digits, 0x30 + digit, 0x30 + digit, this.#after(count + 1, whole, low && digit === least, high && digit === most, to));
    }
    return state;
  }

  #mayEnd(decimals: number, low: boolean, high: boolean): boolean {
    const above = !low || (this.low.fraction.length <= decimals && !this.low.open);
    const below = !high || (this.high?.fraction.length ?? 0) > decimals || !this.high?.open;
    return above && below;
  }
}

function digitOf({ whole, fraction }: Bound, at: number, length: number): number {
  return Number(at < length ? whole[at] : (fraction[at - length] ?? 0));
}
