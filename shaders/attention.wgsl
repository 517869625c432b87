// out = softmax(scale * q kT + bias + mask) v by online softmax (Milakov and Gimelshein 2018, arXiv 1805.02867).
// One query per invocation; keys and values pass through workgroup memory, TILE at a time, and are weighed BLOCK at a time. Heads are read in quads: D is a multiple of 4.
struct Params {
  heads: u32, group: u32, // query heads that share a key head
  queries: u32, keys: u32, scale: f32, cap: f32,
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
@group(0) @binding(6) var<storage, read_write> out: array<vec4<out_scalar>>; // [B, N, H, D]
@group(0) @binding(7) var<uniform>             params: Params;
override CAUSAL: bool;
override MASKED: bool;
override STARTED: bool;
override CAPPED: bool; // logits become cap * tanh(logit / cap)
override BIASED: bool;
const LANES = 64;
const QUADS = D / 4;
const HIDDEN = -3.0e38;
var<workgroup> k_tile: array<array<vec4f, QUADS>, TILE>;
var<workgroup> v_tile: array<array<vec4f, QUADS>, TILE>;
var<workgroup> hidden: array<u32, TILE>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = workgroup.x * LANES + lane;
  let head = workgroup.y;
  let batch = workgroup.z;
  let q_at = (params.q_offset + batch * params.q_batch + min(query, params.queries - 1) * params.q_row + head * params.q_head) / 4;
  let bias_at = params.bias_offset + batch * params.bias_batch + head * params.bias_head + min(query, params.queries - 1) * params.bias_row;
  let k_at = (params.k_offset + batch * params.k_batch + head / params.group * params.k_head) / 4;
  let v_at = (params.v_offset + batch * params.v_batch + head / params.group * params.v_head) / 4;
  var own: array<vec4f, QUADS>;
  var sums: array<vec4f, QUADS>;
  for (var i = 0u; i < QUADS; i++) { own[i] = vec4f(q[q_at + i]) * params.scale; }
  var most = HIDDEN;
  var total = 0.0;
  let end = select(params.keys, min(params.keys, params.place + (workgroup.x + 1) * LANES), CAUSAL);
  let far = params.place + workgroup.x * LANES + 1; // the first query of the workgroup sees its window's keys and those behind
  var begin = select(0, far - min(far, params.window), CAUSAL);
  if (STARTED) { begin = max(begin, u32(starts[params.starts_offset + batch])); }
  for (var first = begin; first < end; first += TILE) {
    workgroupBarrier();
    for (var i = lane; i < TILE * QUADS; i += LANES) {
      let key = min(first + i / QUADS, params.keys - 1);
      k_tile[i / QUADS][i % QUADS] = vec4f(k[k_at + key * params.k_row / 4 + i % QUADS]);
      v_tile[i / QUADS][i % QUADS] = vec4f(v[v_at + key * params.v_row / 4 + i % QUADS]);
    }
    for (var i = lane; i < TILE; i += LANES) {
      var hide = first + i >= params.keys;
      if (MASKED) { hide = hide || mask[params.mask_offset + batch * params.keys + min(first + i, params.keys - 1)] == 0; }
      hidden[i] = u32(hide);
    }
    workgroupBarrier();
    for (var block = 0u; block < TILE; block += BLOCK) {
      var scores = array<f32, BLOCK>(); // said, because Tint zeroes a bare declaration once, not in every turn
      for (var i = 0u; i < QUADS; i++) {
        for (var j = 0u; j < BLOCK; j++) { scores[j] = multiply_add(scores[j], own[i], k_tile[block + j][i]); }
      }
      var larger = most;
      for (var j = 0u; j < BLOCK; j++) {
        let hide = hidden[block + j] != 0 || (CAUSAL && out_of_sight(first + block + j, params.place + query));
        if (CAPPED) { scores[j] = capped(scores[j]); }
        if (BIASED) { scores[j] += f32(bias[bias_at + min(first + block + j, params.keys - 1) * params.bias_key]); }
        scores[j] = select(scores[j], HIDDEN, hide);
        larger = max(larger, scores[j]);
      }
      let shrink = exp(most - larger);
      most = larger;
      total *= shrink;
      for (var j = 0u; j < BLOCK; j++) {
        scores[j] = select(exp(scores[j] - larger), 0.0, scores[j] <= HIDDEN);
        total += scores[j];
      }
      for (var i = 0u; i < QUADS; i++) {
        var sum = sums[i] * shrink;
        for (var j = 0u; j < BLOCK; j++) { sum = fma(vec4f(scores[j]), v_tile[block + j][i], sum); }
        sums[i] = sum;
      }
    }
  }
  if (query >= params.queries) { return; }
  let share = select(1.0 / total, 0.0, total == 0.0);
  let out_at = (params.out_offset + batch * params.out_batch) / 4 + (query * params.heads + head) * QUADS;
  for (var i = 0u; i < QUADS; i++) { out[out_at + i] = vec4<out_scalar>(sums[i] * share); }
}

fn out_of_sight(key: u32, place: u32) -> bool { return key > place || place - key >= params.window; }

fn capped(score: f32) -> f32 { return params.cap * stable_tanh(score / params.cap); }
