// out[r,:] = exp(x[r,:] - max) / sum(exp(x[r,:] - max)). One workgroup per row.
struct Params { rows: u32, cols: u32 }
@group(0) @binding(0) var<storage, read>       x: array<scalar>;   // [rows, cols]
@group(0) @binding(1) var<storage, read_write> out: array<scalar>; // [rows, cols]
@group(0) @binding(2) var<uniform>             params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = flat_workgroup(workgroup, grid);
  if (row >= params.rows) { return; }
  let start = row * params.cols;
  var largest = f32(x[start]);
  for (var col = lane; col < params.cols; col += LANES) { largest = max(largest, f32(x[start + col])); }
  largest = workgroup_max(largest, lane);
  var sum = 0.0;
  for (var col = lane; col < params.cols; col += LANES) { sum += exp(f32(x[start + col]) - largest); }
  sum = workgroup_sum(sum, lane);
  for (var col = lane; col < params.cols; col += LANES) { out[start + col] = scalar(exp(f32(x[start + col]) - largest) / sum); }
}
