// Activations in f32, numbered as in src/kernels/activation.ts. Arguments of exp and tanh are kept where no implementation overflows.
const RELU = 1u; const SILU = 2u; const GELU = 3u; const GELU_TANH = 4u; const QUICK_GELU = 5u;

fn activate(kind: u32, x: f32) -> f32 {
  switch kind {
    case RELU: { return max(x, 0.0); }
    case SILU: { return x * sigmoid(x); }
    case GELU: { return 0.5 * x * (1.0 + erf(x * 0.7071067811865476)); }
    case GELU_TANH: { let v = clamp(x, -1e4, 1e4); return x * sigmoid(1.5957691216057308 * (v + 0.044715 * v * v * v)); } // (1 + tanh u) / 2 = sigmoid(2u)
    case QUICK_GELU: { return x * sigmoid(1.702 * x); }
    default: { return x; }
  }
}

fn activate_quad(kind: u32, x: vec4f) -> vec4f {
  return vec4f(activate(kind, x.x), activate(kind, x.y), activate(kind, x.z), activate(kind, x.w));
}

fn sigmoid(x: f32) -> f32 {
  return select(1.0 / (1.0 + exp(-clamp(x, -87.0, 87.0))), 0.0, x < -87.0);
}

// Absolute error ≤ 1.5e-7: Abramowitz and Stegun 1964, 7.1.26.
fn erf(x: f32) -> f32 {
  let size = min(abs(x), 6.0);
  let t = 1.0 / (1.0 + 0.3275911 * size);
  let series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return sign(x) * (1.0 - series * exp(-size * size));
}
