// Plain loops in f64 that several kernels' tests share.
import type { Activation } from "../../src/kernels/activation.ts";

export function activation(kind: Activation, x: number): number {
  switch (kind) {
    case "none":
      return x;
    case "relu":
      return Math.max(x, 0);
    case "silu":
      return x / (1 + Math.exp(-x));
    case "gelu":
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case "gelu-tanh":
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case "quick-gelu":
      return x / (1 + Math.exp(-1.702 * x));
  }
}

/** By its Taylor series, which converges in f64 for |x| < 4; beyond, erf is ±1 within 2e-8. */
function erf(x: number): number {
  if (Math.abs(x) >= 4) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
