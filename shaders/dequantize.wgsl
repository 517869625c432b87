// out[i,:] = W[ids[i],:] or, without ids, W[i,:] of a quantised W, for rows that lie in the bound ones; ids past the whole table give zeros. One invocation per QUADS quads of a row.
struct Params { count: u32, blocks: u32, first: u32, rows: u32, all_rows: u32 } // count of invocations; blocks in a row of W
@group(0) @binding(0) var<storage, read>       ids: array<i32>;                // [n]
@group(0) @binding(1) var<storage, read>       low: array<vec4<u32>>;          // [rows, K] from row `first` on, see include/quantized.wgsl
@group(0) @binding(2) var<storage, read>       high: array<u32>;
@group(0) @binding(3) var<storage, read>       scales: array<u32>;
@group(0) @binding(4) var<storage, read>       supers: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4<out_scalar>>;   // [n, K]
@group(0) @binding(6) var<uniform>             params: Params;
override GATHER: bool;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64u + lane;
  if (i >= params.count) { return; }
  let part = i % (8u / QUADS);
  let place = i / (8u / QUADS); // of the block in out
  var row = place / params.blocks;
  if (GATHER) {
    let id = u32(ids[row]); // negative ids wrap past the table
    row = id - params.first;
    if (row >= params.rows) {
      if (params.first == 0u && id >= params.all_rows) {
        for (var q = 0u; q < QUADS; q++) { out[i * QUADS + q] = vec4<out_scalar>(); }
      }
      return;
    }
  }
  let block = row * params.blocks + place % params.blocks;
  let codes = codes_of(block);
  let affine = scales_of(block);
  for (var j = 0u; j < QUADS; j++) {
    let q = part * QUADS + j;
    out[i * QUADS + j] = vec4<out_scalar>(select(affine.y, affine.x, q < 4) * quad_of(codes, q) + select(affine.w, affine.z, q < 4));
  }
}
