// out[i] = value[i] * gelu(gate[i]). One invocation per element of views with strides of their own.
struct Params {
  size: u32, value_offset: u32, gate_offset: u32, out_offset: u32,
  shape1: u32, shape2: u32, shape3: u32, shape4: u32, shape5: u32,
  value_stride0: u32, value_stride1: u32, value_stride2: u32, value_stride3: u32, value_stride4: u32, value_stride5: u32,
  gate_stride0: u32, gate_stride1: u32, gate_stride2: u32, gate_stride3: u32, gate_stride4: u32, gate_stride5: u32,
  out_stride0: u32, out_stride1: u32, out_stride2: u32, out_stride3: u32, out_stride4: u32, out_stride5: u32,
}
@group(0) @binding(0) var<storage, read>       value: array<scalar>;
@group(0) @binding(1) var<storage, read>       gate: array<scalar>;
@group(0) @binding(2) var<storage, read_write> out: array<scalar>;
@group(0) @binding(3) var<uniform>             params: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 256u + lane;
  if (i >= params.size) { return; }
  let at = coordinates(i);
  let value_at = params.value_offset + place(at, params.value_stride0, params.value_stride1, params.value_stride2, params.value_stride3, params.value_stride4, params.value_stride5);
  let gate_at = params.gate_offset + place(at, params.gate_stride0, params.gate_stride1, params.gate_stride2, params.gate_stride3, params.gate_stride4, params.gate_stride5);
  let out_at = params.out_offset + place(at, params.out_stride0, params.out_stride1, params.out_stride2, params.out_stride3, params.out_stride4, params.out_stride5);
  out[out_at] = scalar(f32(value[value_at]) * activate(GELU, f32(gate[gate_at])));
}
