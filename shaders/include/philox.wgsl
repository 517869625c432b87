// Philox4x32-10: a 128-bit counter and a 64-bit key become four 32-bit words in ten rounds. Salmon et al. 2011; equals src/random/philox.ts.
fn philox4x32(start: vec4u, seed: vec2u) -> vec4u {
  var counter = start;
  var key = seed;
  for (var round = 0u; round < 10u; round++) {
    let a = wide_product(0xd2511f53u, counter.x);
    let b = wide_product(0xcd9e8d57u, counter.z);
    counter = vec4u(b.y ^ counter.y ^ key.x, b.x, a.y ^ counter.w ^ key.y, a.x);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return counter;
}
