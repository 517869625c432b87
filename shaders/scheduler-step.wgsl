// denoised = clamp(Σ weight · {sample, model}, ±clip); next = Σ weight · {sample, model, denoised, extra0 … extra3}. One invocation per element.
struct Params {
  size: u32,
  denoised_sample: f32, denoised_model: f32,
  clip: f32, // none where negative
  next_sample: f32, next_model: f32, next_denoised: f32,
  next_extra0: f32, next_extra1: f32, next_extra2: f32, next_extra3: f32,
}
@group(0) @binding(0) var<storage, read>       sample: array<sample_scalar>;
@group(0) @binding(1) var<storage, read>       model: array<model_scalar>;
@group(0) @binding(2) var<storage, read>       extra0: array<extra0_scalar>;
@group(0) @binding(3) var<storage, read>       extra1: array<extra1_scalar>;
@group(0) @binding(4) var<storage, read>       extra2: array<extra2_scalar>;
@group(0) @binding(5) var<storage, read>       extra3: array<extra3_scalar>;
@group(0) @binding(6) var<storage, read_write> next: array<sample_scalar>;
@group(0) @binding(7) var<storage, read_write> denoised: array<sample_scalar>;
@group(0) @binding(8) var<uniform>             params: Params;

// A weight of 0 hides even what is not finite.
fn term(weight: f32, x: f32) -> f32 {
  return select(weight * x, 0.0, weight == 0.0);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 256u + lane;
  if (i >= params.size) { return; }
  let x = f32(sample[i]);
  let m = f32(model[i]);
  var image = term(params.denoised_sample, x) + term(params.denoised_model, m);
  if (params.clip >= 0.0) { image = clamp(image, -params.clip, params.clip); }
  denoised[i] = sample_scalar(image);
  next[i] = sample_scalar(
    term(params.next_sample, x) + term(params.next_model, m) + term(params.next_denoised, image)
      + term(params.next_extra0, f32(extra0[i])) + term(params.next_extra1, f32(extra1[i]))
      + term(params.next_extra2, f32(extra2[i])) + term(params.next_extra3, f32(extra3[i])));
}
