// out[r, i] = value[r, i] * activate(gate[r, i]), four neighbours per invocation. Rows of value and gate lie params.value_row and params.gate_row quads apart.
struct Params { quads: u32, cols: u32, value_row: u32, gate_row: u32, value_offset: u32, gate_offset: u32, out_offset: u32 } // cols: quads in a row of out
@group(0) @binding(0) var<storage, read>       value: array<vec4<scalar>>; // [rows, D]
@group(0) @binding(1) var<storage, read>       gate: array<vec4<scalar>>;  // [rows, D]
@group(0) @binding(2) var<storage, read_write> out: array<vec4<scalar>>;   // [rows, D]
@group(0) @binding(3) var<uniform>             params: Params;
override ACTIVATION: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64 + lane;
  if (i >= params.quads) { return; }
  let row = i / params.cols;
  let col = i % params.cols;
  let gated = activate_quad(ACTIVATION, vec4f(gate[params.gate_offset / 4 + row * params.gate_row + col]));
  out[params.out_offset / 4 + i] = vec4<scalar>(vec4f(value[params.value_offset / 4 + row * params.value_row + col]) * gated);
}
