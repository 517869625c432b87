// A matrix product through workgroup memory: LANES_M × LANES_N invocations sum ROWS × 4·COL_QUADS outputs each, DEPTH quads of terms at a time.
// The terms can be split over params.splits workgroups, of which this is number `split`: each stores its part (see split-sum.wgsl).
// Terms come in runs ("taps": a convolution's kernel positions, one for a plain product) of params.quads quads. The including file gives
//   taps() → count;  a_place(row) → what a_run needs to know of a row;  a_run(place, tap) → where the run starts, negative for zeros;  a_quad(run, k);
//   b_run(col, tap), col a multiple of 4;  b_block(run, k) → quad k of four columns;  bias_quad(col);  store_quad(row, col, sums, bias), which ignores what lies outside.
const LANES = LANES_M * LANES_N;
const TILE_M = ROWS * LANES_M;
const TILE_N = 4 * COL_QUADS * LANES_N;
const A_LOADS = (TILE_M * DEPTH + LANES - 1) / LANES;
const B_LOADS = (TILE_N / 4 * DEPTH + LANES - 1) / LANES;
var<workgroup> a_tile: array<array<vec4f, TILE_M>, DEPTH>;
var<workgroup> b_tile: array<array<array<vec4f, TILE_N / 4>, 4>, DEPTH>; // [quad][column % 4][column / 4]: neighbours read neighbours
var<private> sums: array<array<vec4f, COL_QUADS>, ROWS>;

fn gemm(tile: vec2u, split: u32, lane: u32) {
  let row0 = tile.x * TILE_M;
  let col0 = tile.y * TILE_N;
  let lane_m = lane / LANES_N;
  let lane_n = lane % LANES_N;
  var places: array<vec3i, A_LOADS>;
  for (var l = 0u; l < A_LOADS; l++) { places[l] = a_place(row0 + (lane + l * LANES) / DEPTH); }
  let chunks = (params.quads + DEPTH - 1) / DEPTH; // of a tap
  let end = (split + 1) * chunks * taps() / params.splits;
  for (var chunk = split * chunks * taps() / params.splits; chunk < end; chunk++) {
    let tap = chunk / chunks;
    let k0 = chunk % chunks * DEPTH;
    workgroupBarrier();
    for (var l = 0u; l < A_LOADS; l++) {
      let i = lane + l * LANES;
      let k = k0 + i % DEPTH;
      if (i < TILE_M * DEPTH) { a_tile[i % DEPTH][i / DEPTH] = a_quad(select(-1, a_run(places[l], tap), k < params.quads), k); }
    }
    for (var l = 0u; l < B_LOADS; l++) {
      let i = lane + l * LANES;
      let k = k0 + i % DEPTH;
      if (i < TILE_N / 4 * DEPTH) {
        let block = b_block(b_run(col0 + 4 * (i / DEPTH), tap), min(k, params.quads - 1)); // beyond the last quad a is 0
        for (var c = 0u; c < 4; c++) { b_tile[i % DEPTH][c][i / DEPTH] = block[c]; }
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      var a: array<vec4f, ROWS>;
      for (var i = 0u; i < ROWS; i++) { a[i] = a_tile[k][i * LANES_M + lane_m]; }
      for (var j = 0u; j < COL_QUADS; j++) {
        let at = j * LANES_N + lane_n;
        let block = mat4x4f(b_tile[k][0][at], b_tile[k][1][at], b_tile[k][2][at], b_tile[k][3][at]);
        for (var i = 0u; i < ROWS; i++) { sums[i][j] = multiply_add_block(sums[i][j], a[i], block); }
      }
    }
  }
  for (var j = 0u; j < COL_QUADS; j++) {
    let col = col0 + 4 * (j * LANES_N + lane_n);
    let bias = bias_quad(col);
    for (var i = 0u; i < ROWS; i++) { store_quad(row0 + i * LANES_M + lane_m, col, sums[i][j], bias); }
  }
}
