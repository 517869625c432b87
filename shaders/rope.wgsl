// Rotary position embedding (Su et al. 2021, arXiv 2104.09864): channels i and i + half of a head turn by their position's angle i; channels from 2 half on stay.
// One invocation per pair or channel that stays. The table holds cosines, then sines.
struct Params {
  count: u32, tokens: u32, heads: u32, lanes: u32, half: u32, // lanes: half and the channels that stay
  start: u32, // position of the first token, before padding
  x_offset: u32, x_batch: u32, x_row: u32, x_head: u32,
  out_offset: u32, out_batch: u32, out_row: u32, out_head: u32,
}
@group(0) @binding(0) var<storage, read>       x: array<x_scalar>;     // [B, T, H, D]
@group(0) @binding(1) var<storage, read>       table: array<f32>;      // [positions, 2 half]
@group(0) @binding(2) var<storage, read>       padding: array<padding_scalar>; // [B]
@group(0) @binding(3) var<storage, read_write> out: array<out_scalar>; // [B, T, H, D]
@group(0) @binding(4) var<uniform>             params: Params;
override PADDED: bool;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64 + lane;
  if (i >= params.count) { return; }
  let pair = i % params.lanes;
  let head = i / params.lanes % params.heads;
  let token = i / (params.lanes * params.heads) % params.tokens;
  let batch = i / (params.lanes * params.heads * params.tokens);
  let at_x = params.x_offset + batch * params.x_batch + token * params.x_row + head * params.x_head;
  let at_out = params.out_offset + batch * params.out_batch + token * params.out_row + head * params.out_head;
  if (pair >= params.half) {
    out[at_out + params.half + pair] = out_scalar(x[at_x + params.half + pair]);
    return;
  }
  var position = params.start + token;
  if (PADDED) { position = u32(max(i32(position) - i32(padding[batch]), 0)); }
  let row = position * 2 * params.half + pair;
  let turn = vec2f(table[row], table[row + params.half]);
  let first = f32(x[at_x + pair]);
  let second = f32(x[at_x + params.half + pair]);
  out[at_out + pair] = out_scalar(first * turn.x - second * turn.y);
  out[at_out + params.half + pair] = out_scalar(second * turn.x + first * turn.y);
}
