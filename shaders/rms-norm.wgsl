// out[r,:] = residual[r,:] + x[r,:] / sqrt(mean(x[r,:]^2) + eps) * (weight + shift). One workgroup per row; the residual is left out where RESIDUAL is false.
override RESIDUAL: bool;
struct Params { rows: u32, cols: u32, eps: f32, shift: f32 }
@group(0) @binding(0) var<storage, read>       x: array<x_scalar>;               // [rows, cols]
@group(0) @binding(1) var<storage, read>       weight: array<weight_scalar>;     // [cols]
@group(0) @binding(2) var<storage, read>       residual: array<residual_scalar>; // [rows, cols]
@group(0) @binding(3) var<storage, read_write> out: array<out_scalar>;           // [rows, cols]
@group(0) @binding(4) var<uniform>             params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = flat_workgroup(workgroup, grid);
  if (row >= params.rows) { return; }
  let start = row * params.cols;
  var sum = 0.0;
  for (var col = lane; col < params.cols; col += LANES) {
    let value = f32(x[start + col]);
    sum += value * value;
  }
  let inverse = inverseSqrt(workgroup_sum(sum, lane) / f32(params.cols) + params.eps);
  for (var col = lane; col < params.cols; col += LANES) {
    var value = f32(x[start + col]) * inverse * (f32(weight[col]) + params.shift);
    if (RESIDUAL) { value += f32(residual[start + col]); }
    out[start + col] = out_scalar(value);
  }
}
