// out[i,:] = table[ids[i],:] for those ids that lie in the bound rows; ids past the whole table give zeros. One invocation per element.
struct Params { count: u32, cols: u32, first: u32, rows: u32, all_rows: u32, table_offset: u32 }
@group(0) @binding(0) var<storage, read>       ids: array<i32>;       // [count / cols]
@group(0) @binding(1) var<storage, read>       table: array<scalar>;  // [rows, cols], from row `first` on
@group(0) @binding(2) var<storage, read_write> out: array<scalar>;    // [count / cols, cols]
@group(0) @binding(3) var<uniform>             params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64u + lane;
  if (i >= params.count) { return; }
  let id = u32(ids[i / params.cols]); // negative ids wrap past the table
  let row = id - params.first;
  if (row < params.rows) {
    out[i] = table[params.table_offset + row * params.cols + i % params.cols];
  } else if (params.first == 0u && id >= params.all_rows) {
    out[i] = scalar(0.0);
  }
}
