// out = activate(x Wᵀ + bias) + residual for at most ROWS rows of x and a quantised W, decoded in registers. As matvec.wgsl, but SHARE invocations split the blocks.
// A block gives scale · (x · codes) + offset · Σ x, for each half of it.
struct Params {
  rows: u32, cols: u32, blocks: u32, x_row: u32, // blocks in a row of W; x_row in quads
  x_offset: u32, bias_offset: u32,
  residual_offset: u32, residual_row: u32,
  out_offset: u32, out_row: u32,
}
@group(0) @binding(0) var<storage, read>       x: array<vec4<x_scalar>>;         // [rows, K]
@group(0) @binding(1) var<storage, read>       low: array<vec4<u32>>;            // [cols, K], see include/quantized.wgsl
@group(0) @binding(2) var<storage, read>       high: array<u32>;
@group(0) @binding(3) var<storage, read>       scales: array<u32>;
@group(0) @binding(4) var<storage, read>       supers: array<u32>;
@group(0) @binding(5) var<storage, read>       bias: array<bias_scalar>;         // [cols]
@group(0) @binding(6) var<storage, read>       residual: array<residual_scalar>; // [rows, cols]
@group(0) @binding(7) var<storage, read_write> out: array<out_scalar>;           // [rows, cols]
@group(0) @binding(8) var<uniform>             params: Params;
override BIAS: bool;
override RESIDUAL: bool;
override ACTIVATION: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let own = lane % SHARE;
  let col0 = (flat_workgroup(workgroup, grid) * (LANES / SHARE) + lane / SHARE) * COLS;
  for (var b = own; b < params.blocks; b += SHARE) {
    var codes: array<Codes, COLS>;
    var affine: array<vec4f, COLS>;
    for (var c = 0u; c < COLS; c++) {
      let block = min(col0 + c, params.cols - 1) * params.blocks + b;
      codes[c] = codes_of(block);
      affine[c] = scales_of(block);
    }
    for (var part = 0u; part < 2; part++) {
      var dots = array<array<f32, ROWS>, COLS>();
      var totals = array<f32, ROWS>();
      for (var i = 0u; i < 4; i++) {
        let q = 4 * part + i;
        var quads: array<vec4f, ROWS>;
        for (var r = 0u; r < ROWS; r++) {
          quads[r] = vec4f(x[params.x_offset / 4 + min(r, params.rows - 1) * params.x_row + 8 * b + q]);
          totals[r] += (quads[r].x + quads[r].y) + (quads[r].z + quads[r].w);
        }
        for (var c = 0u; c < COLS; c++) {
          let quad = quad_of(codes[c], q);
          for (var r = 0u; r < ROWS; r++) { dots[c][r] = multiply_add(dots[c][r], quads[r], quad); }
        }
      }
      for (var c = 0u; c < COLS; c++) {
        for (var r = 0u; r < ROWS; r++) { sums[c][r] += affine[c][part] * dots[c][r] + affine[c][2 + part] * totals[r]; }
      }
    }
  }
  let totals = totals_of(lane);
  let col = col0 + own;
  if (own >= COLS || col >= params.cols) { return; }
  store_column(col, totals);
}
