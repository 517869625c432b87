// A tile of a matrix product, from workgroup memory: every invocation sums ROWS × COLS outputs, DEPTH terms at a time.
// The file that includes this defines a_at(row, k), b_at(k, col), both 0 outside, and store(row, col, sum).
const TILE_M = ROWS * LANES_M;
const TILE_N = COLS * LANES_N;
const LANES = LANES_M * LANES_N;
var<workgroup> a_tile: array<array<f32, TILE_M>, DEPTH>;
var<workgroup> b_tile: array<array<f32, TILE_N>, DEPTH>;

fn gemm(tile: vec2u, terms: u32, lane: u32) {
  let row0 = tile.x * TILE_M;
  let col0 = tile.y * TILE_N;
  let lane_m = lane / LANES_N;
  let lane_n = lane % LANES_N;
  var sums: array<array<f32, COLS>, ROWS>;
  for (var k0 = 0u; k0 < terms; k0 += DEPTH) {
    for (var i = lane; i < TILE_M * DEPTH; i += LANES) {
      a_tile[i % DEPTH][i / DEPTH] = a_at(row0 + i / DEPTH, k0 + i % DEPTH);
    }
    for (var i = lane; i < TILE_N * DEPTH; i += LANES) {
      b_tile[i % DEPTH][i / DEPTH] = b_at(k0 + i % DEPTH, col0 + i / DEPTH);
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      var b: array<f32, COLS>;
      for (var j = 0u; j < COLS; j++) { b[j] = b_tile[k][j * LANES_N + lane_n]; }
      for (var i = 0u; i < ROWS; i++) {
        let a = a_tile[k][i * LANES_M + lane_m];
        for (var j = 0u; j < COLS; j++) { sums[i][j] += a * b[j]; }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < ROWS; i++) {
    for (var j = 0u; j < COLS; j++) {
      store(row0 + i * LANES_M + lane_m, col0 + j * LANES_N + lane_n, sums[i][j]);
    }
  }
}
