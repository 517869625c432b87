// out = activate(x Wᵀ + bias) + residual for at most ROWS rows of x. W is read once, x once for COLS columns of out.
// SHARE neighbouring invocations split the terms of COLS columns and add up at the end (see include/matvec-*.wgsl).
struct Params {
  rows: u32, cols: u32, loads: u32, x_row: u32, // loads: quads of words in a row of W; x_row in quads
  x_offset: u32, weight_offset: u32, bias_offset: u32,
  residual_offset: u32, residual_row: u32,
  out_offset: u32, out_row: u32,
}
@group(0) @binding(0) var<storage, read>       x: array<vec4<x_scalar>>;         // [rows, K]
@group(0) @binding(1) var<storage, read>       weight: array<vec4<u32>>;         // [cols, K]: the words of f32, or of pairs of f16
@group(0) @binding(2) var<storage, read>       bias: array<bias_scalar>;         // [cols]
@group(0) @binding(3) var<storage, read>       residual: array<residual_scalar>; // [rows, cols]
@group(0) @binding(4) var<storage, read_write> out: array<out_scalar>;           // [rows, cols]
@group(0) @binding(5) var<uniform>             params: Params;
override BIAS: bool;
override RESIDUAL: bool;
override ACTIVATION: u32;
const QUADS = 1 + HALF; // of values in a quad of words; HALF: 1 for f16, 0 for f32

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let own = lane % SHARE;
  let col0 = (flat_workgroup(workgroup, grid) * (LANES / SHARE) + lane / SHARE) * COLS;
  var places: array<u32, COLS>;
  for (var c = 0u; c < COLS; c++) { places[c] = params.weight_offset / 4 + min(col0 + c, params.cols - 1) * params.loads; }
  for (var k = own; k < params.loads; k += SHARE) {
    var quads: array<array<vec4f, QUADS>, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
      let at = params.x_offset / 4 + min(r, params.rows - 1) * params.x_row + k * QUADS;
      for (var q = 0u; q < QUADS; q++) { quads[r][q] = vec4f(x[at + q]); }
    }
    for (var c = 0u; c < COLS; c++) {
      let words = weight[places[c] + k];
      for (var q = 0u; q < QUADS; q++) {
        let quad = quad_of(words, q);
        for (var r = 0u; r < ROWS; r++) { sums[c][r] = multiply_add(sums[c][r], quads[r][q], quad); }
      }
    }
  }
  let totals = totals_of(lane);
  let col = col0 + own;
  if (own >= COLS || col >= params.cols) { return; }
  store_column(col, totals);
}

fn quad_of(words: vec4<u32>, q: u32) -> vec4f {
  if (HALF == 0) { return bitcast<vec4f>(words); }
  if (q == 0) { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
  return vec4f(unpack2x16float(words.z), unpack2x16float(words.w));
}
