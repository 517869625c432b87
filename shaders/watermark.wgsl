// out[b,v] = logits[b,v] + bias where rank(b, v) < threshold, a keyed hash of v and of the least hash in previous[b,:]. One invocation per element.
struct Params { count: u32, vocab: u32, context: u32, key_low: u32, key_high: u32, threshold: u32, bias: f32 }
@group(0) @binding(0) var<storage, read>       logits: array<scalar>; // [count / vocab, vocab]
@group(0) @binding(1) var<storage, read>       previous: array<i32>;  // [count / vocab, context], negative where there is no token
@group(0) @binding(2) var<storage, read_write> out: array<scalar>;    // [count / vocab, vocab]
@group(0) @binding(3) var<uniform>             params: Params;

// A permutation of the 32-bit numbers without visible structure: Wellons' lowbias32.
fn mix32(number: u32) -> u32 {
  var x = number;
  x = (x ^ (x >> 16u)) * 0x7feb352du;
  x = (x ^ (x >> 15u)) * 0x846ca68bu;
  return x ^ (x >> 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * 64u + lane;
  if (i >= params.count) { return; }
  let row = i / params.vocab;
  var seed = 0xffffffffu;
  var known = false;
  for (var at = row * params.context; at < (row + 1u) * params.context; at++) {
    let token = previous[at];
    if (token >= 0) {
      seed = min(seed, mix32(mix32(u32(token) ^ params.key_low) ^ params.key_high));
      known = true;
    }
  }
  let rank = mix32(mix32((i % params.vocab) ^ ~params.key_low) ^ mix32(seed ^ params.key_high));
  out[i] = select(logits[i], scalar(f32(logits[i]) + params.bias), known && rank < params.threshold);
}
