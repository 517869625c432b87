// out[r,:] = (x[r,:] - mean) / sqrt(variance + eps) * weight + bias. One workgroup per row; values relative to the row's first keep a large mean from costing digits.
override BIASED: bool = true;
struct Params { rows: u32, cols: u32, eps: f32 }
@group(0) @binding(0) var<storage, read>       x: array<x_scalar>;           // [rows, cols]
@group(0) @binding(1) var<storage, read>       weight: array<weight_scalar>; // [cols]
@group(0) @binding(2) var<storage, read>       bias: array<bias_scalar>;     // [cols]
@group(0) @binding(3) var<storage, read_write> out: array<x_scalar>;         // [rows, cols]
@group(0) @binding(4) var<uniform>             params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = flat_workgroup(workgroup, grid);
  if (row >= params.rows) { return; }
  let start = row * params.cols;
  let origin = f32(x[start]);
  var sum = 0.0;
  for (var col = lane; col < params.cols; col += LANES) { sum += f32(x[start + col]) - origin; }
  let mean = workgroup_sum(sum, lane) / f32(params.cols);
  sum = 0.0;
  for (var col = lane; col < params.cols; col += LANES) {
    let deviation = (f32(x[start + col]) - origin) - mean;
    sum += deviation * deviation;
  }
  let inverse_deviation = inverseSqrt(workgroup_sum(sum, lane) / f32(params.cols) + params.eps);
  for (var col = lane; col < params.cols; col += LANES) {
    var value = ((f32(x[start + col]) - origin) - mean) * inverse_deviation * f32(weight[col]);
    if (BIASED) { value += f32(bias[col]); }
    out[start + col] = x_scalar(value);
  }
}
