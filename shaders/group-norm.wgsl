// out = activation(((x - anchor) - mean) · gain + shift) with a row of the folded table per channel. One invocation per channel and block of rows.
const BLOCK = 4u;
override ACTIVATION: u32 = 0;
struct Params { count: u32, x_offset: u32, out_offset: u32, rows: u32, channels: u32, blocks: u32 }
@group(0) @binding(0) var<storage, read>       x: array<x_scalar>;      // [samples, rows, channels]
@group(0) @binding(1) var<storage, read>       folded: array<vec4<f32>>; // [samples, channels] of (anchor, mean, gain, shift)
@group(0) @binding(2) var<storage, read_write> out: array<x_scalar>;    // [samples, rows, channels]
@group(0) @binding(3) var<uniform>             params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64u + lane;
  if (i >= params.count) { return; }
  let channel = i % params.channels;
  let start = ((i / params.channels) % params.blocks) * BLOCK;
  let sample = i / (params.channels * params.blocks);
  let row = folded[sample * params.channels + channel];
  var at = (sample * params.rows + start) * params.channels + channel;
  for (var left = min(BLOCK, params.rows - start); left > 0u; left--) {
    let value = ((f32(x[params.x_offset + at]) - row.x) - row.y) * row.z + row.w;
    out[params.out_offset + at] = x_scalar(activate(ACTIVATION, value));
    at += params.channels;
  }
}
