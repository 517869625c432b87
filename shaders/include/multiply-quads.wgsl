// sum + a · b by fused multiplications: fewer instructions than dot(), and one rounding each.
fn multiply_add(sum: f32, a: vec4f, b: vec4f) -> f32 {
  return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
}

// Four columns at once; b holds a quad of each.
fn multiply_add_block(sums: vec4f, a: vec4f, b: mat4x4f) -> vec4f {
  return vec4f(multiply_add(sums.x, a, b[0]), multiply_add(sums.y, a, b[1]), multiply_add(sums.z, a, b[2]), multiply_add(sums.w, a, b[3]));
}
