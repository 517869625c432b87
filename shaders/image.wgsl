// Pixels of a picture in -1 … 1: bytes red, green, blue, 255 of round(255 · clamp(x / 2 + 1/2, 0, 1)), halves to even. One invocation per pixel.
struct Params { count: u32 }
@group(0) @binding(0) var<storage, read>       x: array<scalar>; // [count, 3]
@group(0) @binding(1) var<storage, read_write> out: array<u32>;  // [count]
@group(0) @binding(2) var<uniform>             params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64u + lane;
  if (i >= params.count) { return; }
  let color = vec3f(f32(x[3u * i]), f32(x[3u * i + 1u]), f32(x[3u * i + 2u]));
  let bytes = vec3u(round(clamp(color / 2.0 + 0.5, vec3f(0.0), vec3f(1.0)) * 255.0));
  out[i] = bytes.r | (bytes.g << 8u) | (bytes.b << 16u) | 0xff000000u;
}
