// A matrix product in registers, for GPUs that the CPU plays: there a load costs more than ten multiplications and workgroup
// memory is no faster than any other. A workgroup of 8 sums ROWS × 32 outputs: each lane has four columns of its own; the
// quads of GROUP rows are read by a lane each and spread to all (see spread-subgroup.wgsl). Assumes that the lanes of a
// subgroup are neighbours in the workgroup.
// The including file gives a_place, a_run, a_quad, b_run, b_block, bias_quad, store_quad: see gemm-tile.wgsl, the other way to do it.
const LANES = 8;
const GROUPS = ROWS / GROUP;
var<private> sums: array<vec4f, ROWS>;

fn gemm(tile: vec2u, split: u32, lane: u32) { // never split: params.splits is 1
  let row0 = tile.x * ROWS;
  let col = tile.y * 32 + 4 * lane;
  let bias = bias_quad(col); // before anything is stored, so that it is read once
  var places: array<vec3i, GROUPS>;
  for (var g = 0u; g < GROUPS; g++) { places[g] = a_place(row0 + g * GROUP + lane % GROUP); }
  for (var tap = 0u; tap < taps(); tap++) {
    var runs: array<i32, GROUPS>;
    for (var g = 0u; g < GROUPS; g++) { runs[g] = a_run(places[g], tap); }
    let b = b_run(col, tap);
    for (var k = 0u; k < params.quads; k++) {
      let block = b_block(b, k);
      for (var g = 0u; g < GROUPS; g++) {
        let own = a_quad(runs[g], k);
        for (var i = 0u; i < GROUP; i++) {
          sums[g * GROUP + i] = multiply_add_block(sums[g * GROUP + i], spread(own, i), block);
        }
      }
    }
  }
  for (var i = 0u; i < ROWS; i++) { store_quad(row0 + i, col, sums[i], bias); }
}
