// out[b] = activate(scale * A[b] B[b] + bias) + residual[b]. A [M, K] and B [K, N], either stored transposed. One tile of out per workgroup.
struct Params {
  m: u32, n: u32, k: u32, scale: f32,
  a_offset: u32, a_batch: u32, a_row: u32,
  b_offset: u32, b_batch: u32, b_row: u32,
  bias_offset: u32,
  residual_offset: u32, residual_batch: u32, residual_row: u32,
  out_offset: u32, out_batch: u32, out_row: u32,
}
@group(0) @binding(0) var<storage, read>       a: array<a_scalar>;               // [batch, M, K] or [batch, K, M]
@group(0) @binding(1) var<storage, read>       b: array<b_scalar>;               // [batch, K, N] or [batch, N, K]
@group(0) @binding(2) var<storage, read>       bias: array<bias_scalar>;         // [N]
@group(0) @binding(3) var<storage, read>       residual: array<residual_scalar>; // [batch, M, N]
@group(0) @binding(4) var<storage, read_write> out: array<out_scalar>;           // [batch, M, N]
@group(0) @binding(5) var<uniform>             params: Params;
override TRANSPOSE_A: bool;
override TRANSPOSE_B: bool;
override BIAS: bool;
override RESIDUAL: bool;
override ACTIVATION: u32;
var<private> batch: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  batch = workgroup.z;
  gemm(workgroup.yx, params.k, lane);
}

fn a_at(row: u32, k: u32) -> f32 {
  if (row >= params.m || k >= params.k) { return 0.0; }
  let at = select(row * params.a_row + k, k * params.a_row + row, TRANSPOSE_A);
  return f32(a[params.a_offset + batch * params.a_batch + at]);
}

fn b_at(k: u32, col: u32) -> f32 {
  if (col >= params.n || k >= params.k) { return 0.0; }
  let at = select(k * params.b_row + col, col * params.b_row + k, TRANSPOSE_B);
  return f32(b[params.b_offset + batch * params.b_batch + at]);
}

fn store(row: u32, col: u32, sum: f32) {
  if (row >= params.m || col >= params.n) { return; }
  var value = sum * params.scale;
  if (BIAS) { value += f32(bias[params.bias_offset + col]); }
  value = activate(ACTIVATION, value);
  if (RESIDUAL) { value += f32(residual[params.residual_offset + batch * params.residual_batch + row * params.residual_row + col]); }
  out[params.out_offset + batch * params.out_batch + row * params.out_row + col] = out_scalar(value);
}
