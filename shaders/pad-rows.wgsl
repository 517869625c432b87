// out[r, c] = c < cols ? x[r, c] : 0. One invocation per element of out.
struct Params { size: u32, cols: u32, out_cols: u32, x_offset: u32, out_offset: u32 }
@group(0) @binding(0) var<storage, read>       x: array<scalar>;   // [rows, cols]
@group(0) @binding(1) var<storage, read_write> out: array<scalar>; // [rows, out_cols]
@group(0) @binding(2) var<uniform>             params: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 256u + lane;
  if (i >= params.size) { return; }
  let col = i % params.out_cols;
  out[params.out_offset + i] = select(scalar(0), x[params.x_offset + i / params.out_cols * params.cols + min(col, params.cols - 1)], col < params.cols);
}
