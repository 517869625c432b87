// out[i] = f(x[i]): first · x + second, x clamped to first … second, tanh x or exp x. Views of up to six axes; one invocation per element.
override OPERATION: u32 = 0;
struct Params {
  size: u32, x_offset: u32, out_offset: u32, first: f32, second: f32,
  shape1: u32, shape2: u32, shape3: u32, shape4: u32, shape5: u32,
  x_stride0: u32, x_stride1: u32, x_stride2: u32, x_stride3: u32, x_stride4: u32, x_stride5: u32,
  out_stride0: u32, out_stride1: u32, out_stride2: u32, out_stride3: u32, out_stride4: u32, out_stride5: u32,
}
@group(0) @binding(0) var<storage, read>       x: array<x_scalar>;
@group(0) @binding(1) var<storage, read_write> out: array<out_scalar>;
@group(0) @binding(2) var<uniform>             params: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 256u + lane;
  if (i >= params.size) { return; }
  let at = coordinates(i);
  let value = f32(x[params.x_offset + place(at, params.x_stride0, params.x_stride1, params.x_stride2, params.x_stride3, params.x_stride4, params.x_stride5)]);
  let to = params.out_offset + place(at, params.out_stride0, params.out_stride1, params.out_stride2, params.out_stride3, params.out_stride4, params.out_stride5);
  out[to] = out_scalar(apply(value));
}

fn apply(value: f32) -> f32 {
  switch OPERATION {
    case 0u: { return params.first * value + params.second; }
    case 1u: { return clamp(value, params.first, params.second); }
    case 2u: { return stable_tanh(value); }
    default: { return exp(value); }
  }
}
