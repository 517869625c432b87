// out[n,y,x,o] = activate(sum over ky,kx,i of x[n, y*stride+ky-top, x*stride+kx-left, i] * weight[o,ky,kx,i] + bias[o] + channel_bias[n,o]) + residual[n,y,x,o]: an implicit matrix product, one tile of out per workgroup.
struct Params {
  height: u32, width: u32, channels: u32, // of x as stored; pixels are repeated UPSAMPLE times in both directions before the convolution
  out_height: u32, out_width: u32, out_channels: u32,
  kernel_height: u32, kernel_width: u32, stride: u32, top: i32, left: i32,
  images: u32,
  x_offset: u32, weight_offset: u32, bias_offset: u32, channel_bias_offset: u32, residual_offset: u32, out_offset: u32,
}
@group(0) @binding(0) var<storage, read>       x: array<x_scalar>;                       // [N, H, W, I]
@group(0) @binding(1) var<storage, read>       weight: array<weight_scalar>;             // [O, kh, kw, I]
@group(0) @binding(2) var<storage, read>       bias: array<bias_scalar>;                 // [O]
@group(0) @binding(3) var<storage, read>       channel_bias: array<channel_bias_scalar>; // [N, O]
@group(0) @binding(4) var<storage, read>       residual: array<residual_scalar>;         // [N, H', W', O]
@group(0) @binding(5) var<storage, read_write> out: array<out_scalar>;                   // [N, H', W', O]
@group(0) @binding(6) var<uniform>             params: Params;
override UPSAMPLE: u32;
override BIAS: bool;
override CHANNEL_BIAS: bool;
override RESIDUAL: bool;
override ACTIVATION: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  gemm(workgroup.xy, params.kernel_height * params.kernel_width * params.channels, lane);
}

// row: a pixel of out over all images; k: a place in the kernel and a channel.
fn a_at(row: u32, k: u32) -> f32 {
  let image = row / (params.out_height * params.out_width);
  let y = (row / params.out_width) % params.out_height;
  let column = row % params.out_width;
  let channel = k % params.channels;
  let ky = k / params.channels / params.kernel_width;
  let kx = (k / params.channels) % params.kernel_width;
  let source_y = i32(y * params.stride + ky) - params.top;
  let source_x = i32(column * params.stride + kx) - params.left;
  let inside = source_y >= 0 && source_y < i32(params.height * UPSAMPLE) && source_x >= 0 && source_x < i32(params.width * UPSAMPLE);
  if (image >= params.images || ky >= params.kernel_height || !inside) { return 0.0; }
  let pixel = (image * params.height + u32(source_y) / UPSAMPLE) * params.width + u32(source_x) / UPSAMPLE;
  return f32(x[params.x_offset + pixel * params.channels + channel]);
}

fn b_at(k: u32, col: u32) -> f32 {
  let terms = params.kernel_height * params.kernel_width * params.channels;
  if (col >= params.out_channels || k >= terms) { return 0.0; }
  return f32(weight[params.weight_offset + col * terms + k]);
}

fn store(row: u32, col: u32, sum: f32) {
  let pixels = params.out_height * params.out_width;
  if (row >= params.images * pixels || col >= params.out_channels) { return; }
  var value = sum;
  if (BIAS) { value += f32(bias[params.bias_offset + col]); }
  if (CHANNEL_BIAS) { value += f32(channel_bias[params.channel_bias_offset + row / pixels * params.out_channels + col]); }
  value = activate(ACTIVATION, value);
  let at = row * params.out_channels + col;
  if (RESIDUAL) { value += f32(residual[params.residual_offset + at]); }
  out[params.out_offset + at] = out_scalar(value);
}
