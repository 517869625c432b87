// out[r, i] = value[r, i] * gelu(gate[r, i]), four neighbours per invocation. Rows of value and gate lie params.row quads apart.
struct Params { quads: u32, cols: u32, row: u32, value_offset: u32, gate_offset: u32, out_offset: u32 } // cols: quads in a row of out
@group(0) @binding(0) var<storage, read>       value: array<vec4<scalar>>; // [rows, D]
@group(0) @binding(1) var<storage, read>       gate: array<vec4<scalar>>;  // [rows, D]
@group(0) @binding(2) var<storage, read_write> out: array<vec4<scalar>>;   // [rows, D]
@group(0) @binding(3) var<uniform>             params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64 + lane;
  if (i >= params.quads) { return; }
  let at = i / params.cols * params.row + i % params.cols;
  let gated = vec4f(value[params.value_offset / 4 + at]) * activate_quad(GELU, vec4f(gate[params.gate_offset / 4 + at]));
  out[params.out_offset / 4 + i] = vec4<scalar>(gated);
}
