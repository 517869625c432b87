// out[i] = x[i], x a view of up to six axes with strides of its own, converted to the type of out. One invocation per element.
struct Params {
  size: u32, x_offset: u32,
  shape1: u32, shape2: u32, shape3: u32, shape4: u32, shape5: u32,
  stride0: u32, stride1: u32, stride2: u32, stride3: u32, stride4: u32, stride5: u32,
}
@group(0) @binding(0) var<storage, read>       x: array<x_scalar>;
@group(0) @binding(1) var<storage, read_write> out: array<out_scalar>; // [size]
@group(0) @binding(2) var<uniform>             params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64u + lane;
  if (i >= params.size) { return; }
  var rest = i;
  var at = params.x_offset;
  at += (rest % params.shape5) * params.stride5; rest /= params.shape5;
  at += (rest % params.shape4) * params.stride4; rest /= params.shape4;
  at += (rest % params.shape3) * params.stride3; rest /= params.shape3;
  at += (rest % params.shape2) * params.stride2; rest /= params.shape2;
  at += (rest % params.shape1) * params.stride1; rest /= params.shape1;
  out[i] = out_scalar(x[at + rest * params.stride0]);
}
