// out[r,:] = sum of the parts' sums / sum of their totals, each as if its largest logit were that of all. One invocation per quad of out; see attention-few.wgsl.
struct Params { quads: u32, splits: u32, count: u32, out_offset: u32 } // quads: of a row; count: of out
@group(0) @binding(0) var<storage, read>       parts: array<vec4<f32>>;      // [rows, splits, D + 4]: sums, largest logit, total
@group(0) @binding(1) var<storage, read_write> out: array<vec4<out_scalar>>; // [rows, D]
@group(0) @binding(2) var<uniform>             params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64 + lane;
  if (i >= params.count) { return; }
  let quad = i % params.quads;
  let first = i / params.quads * params.splits * (params.quads + 1);
  var most = -3.0e38;
  for (var split = 0u; split < params.splits; split++) { most = max(most, parts[first + split * (params.quads + 1) + params.quads].x); }
  var sum = vec4f();
  var total = 0.0;
  for (var split = 0u; split < params.splits; split++) {
    let at = first + split * (params.quads + 1);
    let share = exp(parts[at + params.quads].x - most);
    sum += share * parts[at + quad];
    total += share * parts[at + params.quads].y;
  }
  out[params.out_offset / 4 + i] = vec4<out_scalar>(sum * select(1.0 / total, 0.0, total == 0.0));
}
