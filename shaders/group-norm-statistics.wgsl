// Mean and sum of squared deviations of each channel over each chunk of rows, by Welford's update (1962). Values are taken relative
// to the first of their group, so that a mean of 1e5 costs no digits. One invocation per sample, chunk and channel.
struct Params { count: u32, x_offset: u32, anchor_offset: u32, anchor_stride0: u32, rows: u32, channels: u32, group_channels: u32, chunk_rows: u32, chunks: u32, first_chunk: u32, all_chunks: u32 }
@group(0) @binding(0) var<storage, read>       x: array<x_scalar>;      // [samples, rows, channels]
@group(0) @binding(1) var<storage, read>       anchor: array<x_scalar>; // [samples, channels], the first row of all
@group(0) @binding(2) var<storage, read_write> out: array<vec2<f32>>;   // [samples, all_chunks, channels] of (mean, deviations)
@group(0) @binding(3) var<uniform>             params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64u + lane;
  if (i >= params.count) { return; }
  let channel = i % params.channels;
  let chunk = (i / params.channels) % params.chunks;
  let sample = i / (params.channels * params.chunks);
  let origin = f32(anchor[params.anchor_offset + sample * params.anchor_stride0 + channel - channel % params.group_channels]);
  let start = chunk * params.chunk_rows;
  let end = min(start + params.chunk_rows, params.rows);
  var mean = 0.0;
  var deviations = 0.0;
  var at = params.x_offset + (sample * params.rows + start) * params.channels + channel;
  for (var row = start; row < end; row++) {
    let value = f32(x[at]) - origin;
    let step = value - mean;
    mean += step / f32(row - start + 1u);
    deviations += step * (value - mean);
    at += params.channels;
  }
  out[(sample * params.all_chunks + params.first_chunk + chunk) * params.channels + channel] = vec2f(mean, deviations);
}
