// Whole numbers of 64 bits as vec2u(low, high).
fn wide_sum(a: vec2u, b: vec2u) -> vec2u {
  let low = a.x + b.x;
  return vec2u(low, a.y + b.y + u32(low < a.x));
}

fn wide_less(a: vec2u, b: vec2u) -> bool {
  return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn wide_product(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16) * (b & 0xffffu) + (low >> 16);
  let cross = (a & 0xffffu) * (b >> 16) + (middle & 0xffffu);
  return vec2u((cross << 16) | (low & 0xffffu), (a >> 16) * (b >> 16) + (middle >> 16) + (cross >> 16));
}

// floor(a * fraction / 2^32)
fn wide_share(a: vec2u, fraction: u32) -> vec2u {
  return wide_sum(wide_product(a.y, fraction), vec2u(wide_product(a.x, fraction).y, 0u));
}

// The same, at least 1: a limit that lets the best token stay.
fn wide_limit(a: vec2u, fraction: u32) -> vec2u {
  let share = wide_share(a, fraction);
  return select(share, vec2u(1u, 0u), all(share == vec2u()));
}

fn wide_float(a: vec2u) -> f32 {
  return f32(a.y) * 4294967296.0 + f32(a.x);
}
