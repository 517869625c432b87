// out = activate(scale * A B + bias) + residual for each matrix of a batch. A [M, K]; B [K, N] or stored transposed. One tile of out per workgroup.
// Everything is read in quads of four neighbours: K and N are multiples of 4. Rows lie params.*_row quads apart, matrices params.*_batch quads.
struct Params {
  m: u32, n: u32, quads: u32, scale: f32, // quads = K / 4
  row_tiles: u32, col_tiles: u32, batches: u32, splits: u32,
  a_offset: u32, a_batch: u32, a_row: u32,
  b_offset: u32, b_batch: u32, b_row: u32,
  bias_offset: u32,
  residual_offset: u32, residual_batch: u32, residual_row: u32,
  out_offset: u32, out_batch: u32, out_row: u32,
}
@group(0) @binding(0) var<storage, read>       a: array<vec4<a_scalar>>;               // [batch, M, K]
@group(0) @binding(1) var<storage, read>       b: array<vec4<b_scalar>>;               // [batch, K, N] or [batch, N, K]
@group(0) @binding(2) var<storage, read>       bias: array<vec4<bias_scalar>>;         // [N]
@group(0) @binding(3) var<storage, read>       residual: array<vec4<residual_scalar>>; // [batch, M, N]
@group(0) @binding(4) var<storage, read_write> out: array<vec4<out_scalar>>;           // [batch, M, N]
@group(0) @binding(5) var<uniform>             params: Params;
override TRANSPOSE_B: bool;
override BIAS: bool;
override RESIDUAL: bool;
override PARTIAL: bool; // out is f32 [splits, M, N], sums of a part of the terms
override ACTIVATION: u32;
override ACTIVATE_LAST: bool; // after the residual
var<private> batch: u32;
var<private> part: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = tile_of(flat_workgroup(workgroup, grid));
  if (tile.z >= params.batches * params.splits) { return; }
  batch = tile.z / params.splits;
  part = tile.z % params.splits;
  gemm(tile.xy, tile.z % params.splits, lane);
}

fn taps() -> u32 { return 1; }

fn a_place(row: u32) -> vec3i {
  return vec3i(i32(params.a_offset / 4 + batch * params.a_batch + min(row, params.m - 1) * params.a_row), 0, 0);
}

fn a_run(place: vec3i, tap: u32) -> i32 { return place.x; }

fn a_quad(run: i32, k: u32) -> vec4f {
  return select(vec4f(a[u32(max(run, 0)) + k]), vec4f(), run < 0);
}

fn b_run(col: u32, tap: u32) -> u32 {
  let inside = min(col, params.n - 4);
  return params.b_offset / 4 + batch * params.b_batch + select(inside / 4, inside * params.b_row, TRANSPOSE_B);
}

fn b_block(run: u32, k: u32) -> mat4x4f {
  let at = run + select(4 * k * params.b_row, k, TRANSPOSE_B);
  let block = mat4x4f(vec4f(b[at]), vec4f(b[at + params.b_row]), vec4f(b[at + 2 * params.b_row]), vec4f(b[at + 3 * params.b_row]));
  if (TRANSPOSE_B) { return block; }
  return transpose(block);
}

fn bias_quad(col: u32) -> vec4f {
  if (BIAS) { return vec4f(bias[(params.bias_offset + min(col, params.n - 4)) / 4]); }
  return vec4f();
}

fn store_quad(row: u32, col: u32, sums: vec4f, bias: vec4f) {
  if (row >= params.m || col >= params.n) { return; }
  if (PARTIAL) {
    out[((part * params.m + row) * params.n + col) / 4] = vec4<out_scalar>(sums);
    return;
  }
  var value = sums * params.scale + bias;
  if (!ACTIVATE_LAST) { value = activate_quad(ACTIVATION, value); }
  if (RESIDUAL) { value += vec4f(residual[(params.residual_offset + col) / 4 + batch * params.residual_batch + row * params.residual_row]); }
  if (ACTIVATE_LAST) { value = activate_quad(ACTIVATION, value); }
  out[(params.out_offset + col) / 4 + batch * params.out_batch + row * params.out_row] = vec4<out_scalar>(value);
}
