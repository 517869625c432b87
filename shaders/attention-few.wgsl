// out = softmax(scale * q kT + bias + mask) v by online softmax (Milakov and Gimelshein 2018, arXiv 1805.02867), for few queries over many keys.
// One query of one head per workgroup, whose lanes score a key each and then sum a quad of the values of a subset of the keys each. Where SPLIT, workgroups
// share a query's keys and leave unfinished sums to attention-join.wgsl (Dao et al. 2023, "Flash-Decoding"). D is a multiple of 4.
struct Params {
  heads: u32, group: u32, // query heads that share a key head
  queries: u32, keys: u32, scale: f32, cap: f32,
  splits: u32, split_keys: u32,
  q_offset: u32, q_batch: u32, q_row: u32, q_head: u32,
  k_offset: u32, k_batch: u32, k_row: u32, k_head: u32,
  v_offset: u32, v_batch: u32, v_row: u32, v_head: u32,
  bias_offset: u32, bias_batch: u32, bias_head: u32, bias_row: u32, bias_key: u32,
  mask_offset: u32, starts_offset: u32,
  out_offset: u32, out_batch: u32, // elements; rows of out follow each other
  place: u32, // of the first query among the keys, for CAUSAL
  window: u32, // keys that a query sees back from its own place
}
@group(0) @binding(0) var<storage, read>       q: array<vec4<q_scalar>>;     // [B, N, H, D]
@group(0) @binding(1) var<storage, read>       k: array<vec4<k_scalar>>;     // [B, M, H / group, D]
@group(0) @binding(2) var<storage, read>       v: array<vec4<v_scalar>>;     // [B, M, H / group, D]
@group(0) @binding(3) var<storage, read>       mask: array<mask_scalar>;     // [B, M], 0 hides a key
@group(0) @binding(4) var<storage, read>       starts: array<starts_scalar>; // [B], the first key that may be seen
@group(0) @binding(5) var<storage, read>       bias: array<bias_scalar>;     // [B, H, N, M]
@group(0) @binding(6) var<storage, read_write> out: array<vec4<out_scalar>>; // [B, N, H, D]; where SPLIT, [B, N, H, splits, D + 4]: sums, largest logit, total
@group(0) @binding(7) var<uniform>             params: Params;
override CAUSAL: bool;
override MASKED: bool;
override STARTED: bool;
override CAPPED: bool; // logits become cap * tanh(logit / cap)
override BIASED: bool;
override SPLIT: bool;
const LANES = 64u;
const QUADS = D / 4;
const SUBSETS = LANES / QUADS; // of the keys, each summed by QUADS lanes
const HIDDEN = -3.0e38;
var<workgroup> own: array<vec4f, QUADS>;
var<workgroup> scores: array<f32, LANES>;
var<workgroup> totals: array<f32, LANES>;
var<workgroup> parts: array<vec4f, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = workgroup.x / params.splits;
  let split = workgroup.x % params.splits;
  let head = workgroup.y;
  let batch = workgroup.z;
  let q_at = (params.q_offset + batch * params.q_batch + query * params.q_row + head * params.q_head) / 4;
  let bias_at = params.bias_offset + batch * params.bias_batch + head * params.bias_head + query * params.bias_row;
  let k_at = (params.k_offset + batch * params.k_batch + head / params.group * params.k_head) / 4;
  let v_at = (params.v_offset + batch * params.v_batch + head / params.group * params.v_head) / 4;
  if (lane < QUADS) { own[lane] = vec4f(q[q_at + lane]) * params.scale; }
  let place = params.place + query;
  var begin = select(0, place + 1 - min(place + 1, params.window), CAUSAL);
  if (STARTED) { begin = max(begin, u32(starts[params.starts_offset + batch])); }
  var end = select(params.keys, min(params.keys, place + 1), CAUSAL);
  if (SPLIT) {
    begin += split * params.split_keys;
    end = min(end, begin + params.split_keys);
  }
  let quad = lane % QUADS;
  let subset = lane / QUADS;
  var sum = vec4f();
  var most = HIDDEN;
  var total = 0.0;
  workgroupBarrier();
  for (var first = begin; first < end; first += LANES) {
    let key = first + lane;
    var score = HIDDEN;
    if (key < end && seen(batch, key)) {
      score = 0.0;
      for (var i = 0u; i < QUADS; i++) { score = multiply_add(score, own[i], vec4f(k[k_at + key * params.k_row / 4 + i])); }
      if (CAPPED) { score = params.cap * stable_tanh(score / params.cap); }
      if (BIASED) { score += f32(bias[bias_at + key * params.bias_key]); }
    }
    workgroupBarrier(); // the previous scores have been read
    scores[lane] = score;
    workgroupBarrier();
    var larger = most;
    for (var i = 0u; i < LANES; i++) { larger = max(larger, scores[i]); }
    let shrink = exp(most - larger);
    most = larger;
    total *= shrink;
    sum *= shrink;
    for (var i = subset; i < min(LANES, end - first); i += SUBSETS) {
      let weight = select(exp(scores[i] - larger), 0.0, scores[i] <= HIDDEN);
      total += weight;
      sum = fma(vec4f(weight), vec4f(v[v_at + (first + i) * params.v_row / 4 + quad]), sum);
    }
  }
  parts[lane] = sum;
  totals[lane] = total;
  workgroupBarrier();
  for (var i = 1u; i < SUBSETS; i++) {
    let other = min(i * QUADS + quad, LANES - 1);
    sum += parts[other];
    total += totals[other];
  }
  let row = query * params.heads + head;
  if (SPLIT) {
    let out_at = (params.out_offset + batch * params.out_batch) / 4 + (row * params.splits + split) * (QUADS + 1);
    if (lane < QUADS) { out[out_at + lane] = vec4<out_scalar>(sum); }
    if (lane == 0) { out[out_at + QUADS] = vec4<out_scalar>(vec4f(most, total, 0.0, 0.0)); }
  } else if (lane < QUADS) {
    let share = select(1.0 / total, 0.0, total == 0.0);
    out[(params.out_offset + batch * params.out_batch) / 4 + row * QUADS + lane] = vec4<out_scalar>(sum * share);
  }
}

fn seen(batch: u32, key: u32) -> bool {
  if (MASKED) { return mask[params.mask_offset + batch * params.keys + key] != 0; }
  return true;
}
