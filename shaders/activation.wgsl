// out[i] = activate(x[i]), four neighbours per invocation.
struct Params { quads: u32, x_offset: u32, out_offset: u32 }
@group(0) @binding(0) var<storage, read>       x: array<vec4<scalar>>;   // [size]
@group(0) @binding(1) var<storage, read_write> out: array<vec4<scalar>>; // [size]
@group(0) @binding(2) var<uniform>             params: Params;
override ACTIVATION: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64 + lane;
  if (i >= params.quads) { return; }
  out[params.out_offset / 4 + i] = vec4<scalar>(activate_quad(ACTIVATION, vec4f(x[params.x_offset / 4 + i])));
}
