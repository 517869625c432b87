// out[r,:] = residual[r,:] + sum over s of shares[r,s] * x[r * used + s,:]. One invocation per element; the residual is left out where RESIDUAL is false.
struct Params { size: u32, cols: u32, used: u32 }
@group(0) @binding(0) var<storage, read>       x: array<x_scalar>;               // [rows * used, cols]
@group(0) @binding(1) var<storage, read>       shares: array<f32>;               // [rows, used]
@group(0) @binding(2) var<storage, read>       residual: array<residual_scalar>; // [rows, cols]
@group(0) @binding(3) var<storage, read_write> out: array<out_scalar>;           // [rows, cols]
@group(0) @binding(4) var<uniform>             params: Params;
override RESIDUAL: bool;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64 + lane;
  if (i >= params.size) { return; }
  let slot = i / params.cols * params.used;
  var sum = 0.0;
  for (var s = 0u; s < params.used; s++) { sum += shares[slot + s] * f32(x[(slot + s) * params.cols + i % params.cols]); }
  if (RESIDUAL) { sum += f32(residual[i]); }
  out[i] = out_scalar(sum);
}
