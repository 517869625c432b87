// Shapes: sizes, strides, broadcasting, and the error that names what did not fit.

export type Shape = readonly number[];

/** An operand whose shape or dtype does not fit: names the operation, the operand, what was expected and what came. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, n) => size * n, 1);
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

/** `[2, 3]` */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** `conv2d: bias expected [64], got [32]`. A `null` in `expected` allows any extent. */
export function expectShape(what: string, got: { readonly shape: Shape }, expected: readonly (number | null)[]): void {
  const fits = got.shape.length === expected.length && expected.every((n, axis) => n === null || n === got.shape[axis]);
  if (!fits) throw new ShapeError(`${what} expected ${formatShape(expected.map((n) => n ?? "*") as number[])}, got ${formatShape(got.shape)}`);
}

/** The shape that both broadcast to, by NumPy's rule. Throws ShapeError. */
export function broadcastShapes(what: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const m = a[a.length - rank + i] ?? 1;
    const n = b[b.length - rank + i] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw new ShapeError(`${what}: ${formatShape(a)} and ${formatShape(b)} do not broadcast`);
    out.push(m === 1 ? n : m);
  }
  return out;
}

/** An axis counted from the end if negative. Throws ShapeError. */
export function axisOf(what: string, axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(at) || at < 0 || at >= rank) throw new ShapeError(`${what}: axis ${axis} of a tensor of rank ${rank}`);
  return at;
}
