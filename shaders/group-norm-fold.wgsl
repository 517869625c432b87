// From the chunks' statistics to each group's mean and variance (Chan et al. 1979), and on to what normalises a channel:
// y = ((x - anchor) - mean) · gain + shift, the affine and an optional ·(1 + scale) + shift folded in. One workgroup per sample and group.
override MODULATED: bool = false;
struct Params {
  count: u32, groups: u32, rows: u32, channels: u32, group_channels: u32, chunk_rows: u32, chunks: u32, eps: f32,
  anchor_offset: u32, anchor_stride0: u32, scale_offset: u32, scale_stride0: u32, shift_offset: u32, shift_stride0: u32,
}
@group(0) @binding(0) var<storage, read>       partial: array<vec2<f32>>;    // [samples, chunks, channels] of (mean, deviations)
@group(0) @binding(1) var<storage, read>       anchor: array<x_scalar>;      // [samples, channels]
@group(0) @binding(2) var<storage, read>       weight: array<weight_scalar>; // [channels]
@group(0) @binding(3) var<storage, read>       bias: array<weight_scalar>;   // [channels]
@group(0) @binding(4) var<storage, read>       scale: array<scale_scalar>;   // [samples, channels]
@group(0) @binding(5) var<storage, read>       shift: array<scale_scalar>;   // [samples, channels]
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;        // [samples, channels] of (anchor, mean, gain, shift)
@group(0) @binding(7) var<uniform>             params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid);
  if (i >= params.count) { return; }
  let sample = i / params.groups;
  let first = (i % params.groups) * params.group_channels;
  let size = f32(params.rows) * f32(params.group_channels);

  var sum = 0.0;
  for (var at = lane; at < params.chunks * params.group_channels; at += LANES) {
    let chunk = at / params.group_channels;
    sum += chunk_size(chunk) * partial[place(sample, chunk, first + at % params.group_channels)].x;
  }
  let mean = workgroup_sum(sum, lane) / size;
  sum = 0.0;
  for (var at = lane; at < params.chunks * params.group_channels; at += LANES) {
    let chunk = at / params.group_channels;
    let own = partial[place(sample, chunk, first + at % params.group_channels)];
    sum += own.y + chunk_size(chunk) * (own.x - mean) * (own.x - mean);
  }
  let inverse_deviation = inverseSqrt(workgroup_sum(sum, lane) / size + params.eps);

  let origin = f32(anchor[params.anchor_offset + sample * params.anchor_stride0 + first]);
  for (var channel = first + lane; channel < first + params.group_channels; channel += LANES) {
    var gain = f32(weight[channel]);
    var offset = f32(bias[channel]);
    if (MODULATED) {
      let factor = 1.0 + f32(scale[params.scale_offset + sample * params.scale_stride0 + channel]);
      gain *= factor;
      offset = offset * factor + f32(shift[params.shift_offset + sample * params.shift_stride0 + channel]);
    }
    out[sample * params.channels + channel] = vec4f(origin, mean, gain * inverse_deviation, offset);
  }
}

fn chunk_size(chunk: u32) -> f32 {
  return f32(min(params.chunk_rows, params.rows - chunk * params.chunk_rows));
}

fn place(sample: u32, chunk: u32, channel: u32) -> u32 {
  return (sample * params.chunks + chunk) * params.channels + channel;
}
