// WGSL's tanh may overflow for large arguments and loses digits near 0: a series below 1/4, exponentials above.
fn stable_tanh(value: f32) -> f32 {
  let square = value * value;
  if (square < 0.0625) {
    return value * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 + square * (-17.0 / 315.0 + square * (62.0 / 2835.0)))));
  }
  return sign(value) * (1.0 - 2.0 / (exp(2.0 * min(abs(value), 20.0)) + 1.0));
}
