// Blocks of 32 quantised weights, laid out by src/tensor/packing.ts: weight = scale · code + offset, scale and offset for 16 codes each.
// The including file binds low, high, scales and supers; LOW_BITS, HIGH_BITS, SCALES, ZERO and TABLE, TABLE0 … TABLE3 tell the packing.
// Quad q of a block is its codes 4q … 4q+3.
const HALF = 0; const HALF_MINIMUM = 1; const BRAIN = 2; const SIGNED = 3; const NIBBLES = 4; const BYTES = 5; // as SCALES in packing.ts
const LOW_LOADS = (LOW_BITS + 4) / 6; // quads of words: 1, and 2 for 8 bits
const BYTE_SHIFTS = vec4u(0, 8, 16, 24);

struct Codes { low: array<vec4u, LOW_LOADS>, high: vec2u }

fn codes_of(block: u32) -> Codes {
  var codes: Codes;
  if (LOW_BITS == 2) {
    let two = low[block / 2];
    codes.low[0] = select(two.xyxy, two.zwzw, block % 2 == 1);
  } else {
    for (var i = 0u; i < LOW_LOADS; i++) { codes.low[i] = low[block * LOW_LOADS + i]; }
  }
  for (var i = 0u; i < HIGH_BITS; i++) { codes.high[i] = high[block * HIGH_BITS + i]; }
  return codes;
}

fn quad_of(codes: Codes, q: u32) -> vec4f {
  var quad: vec4u;
  if (LOW_BITS == 8) { quad = (vec4u(codes.low[q / 4][q % 4]) >> BYTE_SHIFTS) & vec4u(255); }
  else if (LOW_BITS == 4) { quad = (vec4u(codes.low[0][q % 4]) >> (BYTE_SHIFTS + 4 * (q / 4))) & vec4u(15); }
  else { quad = (vec4u(codes.low[0][q % 2]) >> (BYTE_SHIFTS + 2 * (q / 2))) & vec4u(3); }
  if (HIGH_BITS == 1) { quad |= ((vec4u(codes.high.x) >> (vec4u(0, 1, 2, 3) + 4 * q)) & vec4u(1)) << vec4u(LOW_BITS); }
  if (HIGH_BITS == 2) { quad |= ((vec4u(codes.high[q % 2]) >> (BYTE_SHIFTS + 2 * (q / 2))) & vec4u(3)) << vec4u(LOW_BITS); }
  if (TABLE == 1) { return look_up(quad); }
  return vec4f(quad);
}

// The table's signed bytes; TABLE0 holds the first four.
fn look_up(codes: vec4u) -> vec4f {
  let first = select(vec4u(TABLE0), vec4u(TABLE1), (codes & vec4u(4)) != vec4u());
  let second = select(vec4u(TABLE2), vec4u(TABLE3), (codes & vec4u(4)) != vec4u());
  let word = select(first, second, codes >= vec4u(8));
  return vec4f(vec4i(word << (vec4u(24) - 8 * (codes & vec4u(3)))) >> vec4u(24));
}

// Scales of codes 0 … 15 and 16 … 31, then their offsets.
fn scales_of(block: u32) -> vec4f {
  if (SCALES == HALF_MINIMUM) { return unpack2x16float(scales[block]).xxyy; }
  let pair = (scales[block / 2] >> (16 * (block % 2))) & 0xffff;
  if (SCALES == HALF) { return unpack2x16float(pair).x * vec4f(1, 1, -ZERO, -ZERO); }
  if (SCALES == BRAIN) { return bitcast<f32>(pair << 16) * vec4f(1, 1, 0, 0); }
  let top = unpack2x16float(supers[block / 8]);
  if (SCALES == SIGNED) {
    let both = top.x * vec2f(vec2i(vec2u(pair) << vec2u(24, 16)) >> vec2u(24));
    return vec4f(both, -ZERO * both);
  }
  if (SCALES == NIBBLES) { return vec4f((vec4u(pair) >> vec4u(0, 8, 4, 12)) & vec4u(15)) * vec4f(top.xx, -top.yy); }
  return vec4f((vec4u(pair) >> vec4u(0, 0, 8, 8)) & vec4u(255)) * vec4f(top.xx, -top.yy);
}
