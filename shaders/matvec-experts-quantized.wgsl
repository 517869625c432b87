// out[slot,:] = x[slot / per,:] W[expert of the slot]ᵀ for the slots of a tile (see experts-group.wgsl), which share a quantised expert. As matvec-quantized.wgsl; tiles run along y.
struct Params {
  cols: u32, blocks: u32, x_row: u32, per: u32, // blocks in a row of W; x_row in quads
  height: u32, first_row: u32, // rows of W that an expert has, and where among them this matrix begins
  first_expert: u32, experts: u32, // bound here
  x_offset: u32, out_offset: u32,
}
@group(0) @binding(0) var<storage, read>       x: array<vec4<x_scalar>>; // [slots / per, K]
@group(0) @binding(1) var<storage, read>       low: array<vec4<u32>>;    // [experts * height, K], see include/quantized.wgsl
@group(0) @binding(2) var<storage, read>       high: array<u32>;
@group(0) @binding(3) var<storage, read>       scales: array<u32>;
@group(0) @binding(4) var<storage, read>       supers: array<u32>;
@group(0) @binding(5) var<storage, read>       order: array<u32>;        // [slots]
@group(0) @binding(6) var<storage, read>       tiles: array<vec4<u32>>;  // [tiles]
@group(0) @binding(7) var<storage, read_write> out: array<out_scalar>;   // [slots, cols]
@group(0) @binding(8) var<uniform>             params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = tiles[workgroup.y];
  if (tile.z == 0 || tile.x - params.first_expert >= params.experts) { return; }
  let own = lane % SHARE;
  let col0 = (workgroup.x * (LANES / SHARE) + lane / SHARE) * COLS;
  let row0 = (tile.x - params.first_expert) * params.height + params.first_row;
  var rows: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) { rows[r] = params.x_offset / 4 + order[tile.y + min(r, tile.z - 1)] / params.per * params.x_row; }
  for (var b = own; b < params.blocks; b += SHARE) {
    for (var c = 0u; c < COLS; c++) {
      let block = (row0 + min(col0 + c, params.cols - 1)) * params.blocks + b;
      let codes = codes_of(block);
      let affine = scales_of(block);
      for (var q = 0u; q < 8; q++) {
        let quad = affine[q / 4] * quad_of(codes, q) + affine[2 + q / 4];
        for (var r = 0u; r < ROWS; r++) { sums[c][r] = multiply_add(sums[c][r], vec4f(x[rows[r] + 8 * b + q]), quad); }
      }
    }
  }
  let totals = totals_of(lane);
  let col = col0 + own;
  if (own >= COLS || col >= params.cols) { return; }
  for (var r = 0u; r < min(ROWS, tile.z); r++) { out[params.out_offset + order[tile.y + r] * params.cols + col] = out_scalar(totals[r]); }
}
