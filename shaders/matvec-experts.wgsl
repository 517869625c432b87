// out[slot,:] = x[slot / per,:] W[expert of the slot]ᵀ for the slots of a tile (see experts-group.wgsl), which share an expert. As matvec.wgsl; tiles run along y.
struct Params {
  cols: u32, loads: u32, x_row: u32, per: u32, // loads: quads of words in a row of W; x_row in quads
  height: u32, first_row: u32, // rows of W that an expert has, and where among them this matrix begins
  first_expert: u32, experts: u32, // bound here
  x_offset: u32, weight_offset: u32, out_offset: u32,
}
@group(0) @binding(0) var<storage, read>       x: array<vec4<x_scalar>>; // [slots / per, K]
@group(0) @binding(1) var<storage, read>       weight: array<vec4<u32>>; // [experts * height, K]: the words of f32, or of pairs of f16
@group(0) @binding(2) var<storage, read>       order: array<u32>;        // [slots]
@group(0) @binding(3) var<storage, read>       tiles: array<vec4<u32>>;  // [tiles]
@group(0) @binding(4) var<storage, read_write> out: array<out_scalar>;   // [slots, cols]
@group(0) @binding(5) var<uniform>             params: Params;
const QUADS = 1 + HALF; // of values in a quad of words; HALF: 1 for f16, 0 for f32

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = tiles[workgroup.y];
  if (tile.z == 0 || tile.x - params.first_expert >= params.experts) { return; }
  let own = lane % SHARE;
  let col0 = (workgroup.x * (LANES / SHARE) + lane / SHARE) * COLS;
  let row0 = (tile.x - params.first_expert) * params.height + params.first_row;
  var places: array<u32, COLS>;
  for (var c = 0u; c < COLS; c++) { places[c] = params.weight_offset / 4 + (row0 + min(col0 + c, params.cols - 1)) * params.loads; }
  var rows: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { rows[r] = params.x_offset / 4 + order[tile.y + min(r, tile.z - 1)] / params.per * params.x_row; }
  for (var k = own; k < params.loads; k += SHARE) {
    var quads: array<array<vec4f, QUADS>, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
      for (var q = 0u; q < QUADS; q++) { quads[r][q] = vec4f(x[rows[r] + k * QUADS + q]); }
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
  for (var r = 0u; r < min(ROWS, tile.z); r++) { out[params.out_offset + order[tile.y + r] * params.cols + col] = out_scalar(totals[r]); }
}

fn quad_of(words: vec4<u32>, q: u32) -> vec4f {
  if (HALF == 0) { return bitcast<vec4f>(words); }
  if (q == 0) { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }
  return vec4f(unpack2x16float(words.z), unpack2x16float(words.w));
}
