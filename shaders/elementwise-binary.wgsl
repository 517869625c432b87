// out[i] = a[i] ∘ b[i]: sum, difference, product, quotient or a + weight · (b - a). Views of up to six axes; one invocation per element.
override OPERATION: u32 = 0;
struct Params {
  size: u32, a_offset: u32, b_offset: u32, out_offset: u32, weight: f32,
  shape1: u32, shape2: u32, shape3: u32, shape4: u32, shape5: u32,
  a_stride0: u32, a_stride1: u32, a_stride2: u32, a_stride3: u32, a_stride4: u32, a_stride5: u32,
  b_stride0: u32, b_stride1: u32, b_stride2: u32, b_stride3: u32, b_stride4: u32, b_stride5: u32,
  out_stride0: u32, out_stride1: u32, out_stride2: u32, out_stride3: u32, out_stride4: u32, out_stride5: u32,
}
@group(0) @binding(0) var<storage, read>       a: array<a_scalar>;
@group(0) @binding(1) var<storage, read>       b: array<b_scalar>;
@group(0) @binding(2) var<storage, read_write> out: array<out_scalar>;
@group(0) @binding(3) var<uniform>             params: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 256u + lane;
  if (i >= params.size) { return; }
  let at = coordinates(i);
  let left = f32(a[params.a_offset + place(at, params.a_stride0, params.a_stride1, params.a_stride2, params.a_stride3, params.a_stride4, params.a_stride5)]);
  let right = f32(b[params.b_offset + place(at, params.b_stride0, params.b_stride1, params.b_stride2, params.b_stride3, params.b_stride4, params.b_stride5)]);
  let to = params.out_offset + place(at, params.out_stride0, params.out_stride1, params.out_stride2, params.out_stride3, params.out_stride4, params.out_stride5);
  out[to] = out_scalar(combine(left, right));
}

fn combine(left: f32, right: f32) -> f32 {
  switch OPERATION {
    case 0u: { return left + right; }
    case 1u: { return left - right; }
    case 2u: { return left * right; }
    case 3u: { return left / right; }
    default: { return left + params.weight * (right - left); }
  }
}
