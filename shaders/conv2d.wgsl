// out[n,y,x,o] = activate(sum over ky,kx,i of x[n, y*stride+ky-top, x*stride+kx-left, i] * weight[o,ky,kx,i] + bias[o] + channel_bias[n,o]) + residual[n,y,x,o].
// An implicit matrix product, rows the pixels of out, columns its channels; one tile of out per workgroup. Channels are read in quads: I and O are multiples of 4.
struct Params {
  height: u32, width: u32, quads: u32, // of x as stored, quads = I / 4; a pixel is repeated 2^upsample times in both directions first
  out_pixels: u32, out_width: u32, out_channels: u32,
  kernel_width: u32, taps: u32, stride: u32, top: i32, left: i32, upsample: u32,
  rows: u32, // N * H' * W'
  row_tiles: u32, col_tiles: u32, batches: u32, splits: u32, // batches is 1
  x_offset: u32, weight_offset: u32, bias_offset: u32, channel_bias_offset: u32, residual_offset: u32, out_offset: u32,
}
@group(0) @binding(0) var<storage, read>       x: array<vec4<x_scalar>>;                       // [N, H, W, I]
@group(0) @binding(1) var<storage, read>       weight: array<vec4<weight_scalar>>;             // [O, kh, kw, I]
@group(0) @binding(2) var<storage, read>       bias: array<vec4<bias_scalar>>;                 // [O]
@group(0) @binding(3) var<storage, read>       channel_bias: array<vec4<channel_bias_scalar>>; // [N, O]
@group(0) @binding(4) var<storage, read>       residual: array<vec4<residual_scalar>>;         // [N, H', W', O]
@group(0) @binding(5) var<storage, read_write> out: array<vec4<out_scalar>>;                   // [N, H', W', O]
@group(0) @binding(6) var<uniform>             params: Params;
override BIAS: bool;
override CHANNEL_BIAS: bool;
override RESIDUAL: bool;
override PARTIAL: bool; // out is f32 [splits, rows, O], sums of a part of the terms
var<private> part: u32;
override ACTIVATION: u32;
override ACTIVATE_LAST: bool; // after the residual

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = tile_of(flat_workgroup(workgroup, grid));
  if (tile.z >= params.splits) { return; }
  part = tile.z;
  gemm(tile.xy, tile.z, lane);
}

fn taps() -> u32 { return params.taps; }

// Where the image starts, in quads, and the first pixel that the kernel touches.
fn a_place(row: u32) -> vec3i {
  let inside = min(row, params.rows - 1);
  let pixel = inside % params.out_pixels;
  let y = pixel / params.out_width * params.stride;
  let column = pixel % params.out_width * params.stride;
  let image = params.x_offset / 4 + inside / params.out_pixels * params.height * params.width * params.quads;
  return vec3i(i32(image), i32(y) - params.top, i32(column) - params.left);
}

fn a_run(place: vec3i, tap: u32) -> i32 {
  let y = place.y + i32(tap / params.kernel_width);
  let column = place.z + i32(tap % params.kernel_width);
  let inside = y >= 0 && y < i32(params.height << params.upsample) && column >= 0 && column < i32(params.width << params.upsample);
  let pixel = (y >> params.upsample) * i32(params.width) + (column >> params.upsample);
  return select(-1, place.x + pixel * i32(params.quads), inside);
}

fn a_quad(run: i32, k: u32) -> vec4f {
  return select(vec4f(x[u32(max(run, 0)) + k]), vec4f(), run < 0);
}

fn b_run(col: u32, tap: u32) -> u32 {
  return params.weight_offset / 4 + (min(col, params.out_channels - 4) * params.taps + tap) * params.quads;
}

fn b_block(run: u32, k: u32) -> mat4x4f {
  let at = run + k;
  let column = params.taps * params.quads;
  return mat4x4f(vec4f(weight[at]), vec4f(weight[at + column]), vec4f(weight[at + 2 * column]), vec4f(weight[at + 3 * column]));
}

fn bias_quad(col: u32) -> vec4f {
  if (BIAS) { return vec4f(bias[(params.bias_offset + min(col, params.out_channels - 4)) / 4]); }
  return vec4f();
}

fn store_quad(row: u32, col: u32, sums: vec4f, bias: vec4f) {
  if (row >= params.rows || col >= params.out_channels) { return; }
  if (PARTIAL) {
    out[((part * params.rows + row) * params.out_channels + col) / 4] = vec4<out_scalar>(sums);
    return;
  }
  var value = sums + bias;
  if (CHANNEL_BIAS) { value += vec4f(channel_bias[(params.channel_bias_offset + row / params.out_pixels * params.out_channels + col) / 4]); }
  if (!ACTIVATE_LAST) { value = activate_quad(ACTIVATION, value); }
  let at = (row * params.out_channels + col) / 4;
  if (RESIDUAL) { value += vec4f(residual[params.residual_offset / 4 + at]); }
  if (ACTIVATE_LAST) { value = activate_quad(ACTIVATION, value); }
  out[params.out_offset / 4 + at] = vec4<out_scalar>(value);
}
