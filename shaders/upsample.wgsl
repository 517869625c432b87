// out[n,y,x,:] = input[n,floor(y·h/H),floor(x·w/W),:], in f32 as PyTorch rounds it. One invocation per element.
struct Params {
  count: u32, x_offset: u32, out_offset: u32, channels: u32,
  height: u32, width: u32, out_width: u32,
  first: u32, out_first: u32, bound: u32, out_bound: u32, y_step: f32, x_step: f32,
}
@group(0) @binding(0) var<storage, read>       x: array<scalar>;   // [samples, bound, width, channels]: rows from `first` on
@group(0) @binding(1) var<storage, read_write> out: array<scalar>; // [samples, out_bound, out_width, channels]: rows from `out_first` on
@group(0) @binding(2) var<uniform>             params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64u + lane;
  if (i >= params.count) { return; }
  let channel = i % params.channels;
  let column = (i / params.channels) % params.out_width;
  let row = i / (params.channels * params.out_width); // of all samples
  let sample = row / params.out_bound;
  let source_row = min(u32(f32(params.out_first + row % params.out_bound) * params.y_step), params.height - 1u) - params.first;
  let source_column = min(u32(f32(column) * params.x_step), params.width - 1u);
  out[params.out_offset + i] = x[params.x_offset + ((sample * params.bound + source_row) * params.width + source_column) * params.channels + channel];
}
