// out = activate(scale * (sum over s of parts[s]) + bias + channel_bias) + residual: the end of a product whose terms were split. A quad per invocation.
struct Params {
  quads: u32, cols: u32, splits: u32, pixels: u32, scale: f32, // quads = rows * cols / 4; pixels: rows that share a channel_bias
  bias_offset: u32, channel_bias_offset: u32, residual_offset: u32, out_offset: u32,
}
@group(0) @binding(0) var<storage, read>       parts: array<vec4<parts_scalar>>;               // f32 [splits, rows, cols]
@group(0) @binding(1) var<storage, read>       bias: array<vec4<bias_scalar>>;                 // [cols]
@group(0) @binding(2) var<storage, read>       channel_bias: array<vec4<channel_bias_scalar>>; // [rows / pixels, cols]
@group(0) @binding(3) var<storage, read>       residual: array<vec4<residual_scalar>>;         // [rows, cols]
@group(0) @binding(4) var<storage, read_write> out: array<vec4<out_scalar>>;                   // [rows, cols]
@group(0) @binding(5) var<uniform>             params: Params;
override BIAS: bool;
override CHANNEL_BIAS: bool;
override RESIDUAL: bool;
override ACTIVATION: u32;
override ACTIVATE_LAST: bool; // after the residual

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64 + lane;
  if (i >= params.quads) { return; }
  var value = vec4f();
  for (var s = 0u; s < params.splits; s++) { value += vec4f(parts[s * params.quads + i]); }
  value *= params.scale;
  let col = i % (params.cols / 4);
  let row = i / (params.cols / 4);
  if (BIAS) { value += vec4f(bias[params.bias_offset / 4 + col]); }
  if (CHANNEL_BIAS) { value += vec4f(channel_bias[params.channel_bias_offset / 4 + row / params.pixels * (params.cols / 4) + col]); }
  if (!ACTIVATE_LAST) { value = activate_quad(ACTIVATION, value); }
  if (RESIDUAL) { value += vec4f(residual[params.residual_offset / 4 + i]); }
  if (ACTIVATE_LAST) { value = activate_quad(ACTIVATION, value); }
  out[params.out_offset / 4 + i] = vec4<out_scalar>(value);
}
