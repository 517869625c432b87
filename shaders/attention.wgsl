// out = softmax(scale * q kT + mask) v by online softmax (Milakov and Gimelshein 2018, arXiv 1805.02867). One query per invocation; keys and values pass through workgroup memory, KEYS at a time.
struct Params {
  heads: u32, queries: u32, keys: u32, scale: f32,
  q_offset: u32, q_batch: u32, q_row: u32, q_head: u32,
  k_offset: u32, k_batch: u32, k_row: u32, k_head: u32,
  v_offset: u32, v_batch: u32, v_row: u32, v_head: u32,
  mask_offset: u32,
}
@group(0) @binding(0) var<storage, read>       q: array<q_scalar>;     // [B, N, H, D]
@group(0) @binding(1) var<storage, read>       k: array<k_scalar>;     // [B, M, H, D]
@group(0) @binding(2) var<storage, read>       v: array<v_scalar>;     // [B, M, H, D]
@group(0) @binding(3) var<storage, read>       mask: array<mask_scalar>; // [B, M], 0 ignores a key
@group(0) @binding(4) var<storage, read_write> out: array<out_scalar>; // [B, N, H, D]
@group(0) @binding(5) var<uniform>             params: Params;
override CAUSAL: bool;
override MASKED: bool;
const QUADS = (D + 3) / 4;
const NEVER = -3.0e38;
var<workgroup> k_tile: array<array<vec4f, QUADS>, KEYS>;
var<workgroup> v_tile: array<array<vec4f, QUADS>, KEYS>;
var<workgroup> use_key: array<u32, KEYS>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = workgroup.x * LANES + lane;
  let head = workgroup.y;
  let batch = workgroup.z;
  var own: array<vec4f, QUADS>;
  var sums: array<vec4f, QUADS>;
  let q_at = params.q_offset + batch * params.q_batch + min(query, params.queries - 1) * params.q_row + head * params.q_head;
  for (var i = 0u; i < D; i++) { own[i / 4][i % 4] = f32(q[q_at + i]) * params.scale; }
  var most = NEVER;
  var total = 0.0;
  for (var first = 0u; first < params.keys; first += KEYS) {
    for (var i = lane; i < KEYS * QUADS; i += LANES) {
      let key = first + i / QUADS;
      k_tile[i / QUADS][i % QUADS] = k_quad(batch, key, head, i % QUADS);
      v_tile[i / QUADS][i % QUADS] = v_quad(batch, key, head, i % QUADS);
    }
    for (var i = lane; i < KEYS; i += LANES) {
      use_key[i] = u32(first + i < params.keys && (!MASKED || mask[params.mask_offset + batch * params.keys + min(first + i, params.keys - 1)] != 0));
    }
    workgroupBarrier();
    for (var j = 0u; j < KEYS; j++) {
      var score = 0.0;
      for (var i = 0u; i < QUADS; i++) { score += dot(own[i], k_tile[j][i]); }
      if (use_key[j] != 0 && (!CAUSAL || first + j <= query)) {
        let larger = max(most, score);
        let shrink = exp(most - larger);
        let weight = exp(score - larger);
        most = larger;
        total = total * shrink + weight;
        for (var i = 0u; i < QUADS; i++) { sums[i] = sums[i] * shrink + weight * v_tile[j][i]; }
      }
    }
    workgroupBarrier();
  }
  if (query >= params.queries) { return; }
  let share = select(1.0 / total, 0.0, total == 0.0);
  let out_at = ((batch * params.queries + query) * params.heads + head) * D;
  for (var i = 0u; i < D; i++) { out[out_at + i] = out_scalar(sums[i / 4][i % 4] * share); }
}

fn k_quad(batch: u32, key: u32, head: u32, quad: u32) -> vec4f {
  var values = vec4f();
  if (key >= params.keys) { return values; }
  let at = params.k_offset + batch * params.k_batch + key * params.k_row + head * params.k_head + 4 * quad;
  for (var i = 0u; i < min(4, D - 4 * quad); i++) { values[i] = f32(k[at + i]); }
  return values;
}

fn v_quad(batch: u32, key: u32, head: u32, quad: u32) -> vec4f {
  var values = vec4f();
  if (key >= params.keys) { return values; }
  let at = params.v_offset + batch * params.v_batch + key * params.v_row + head * params.v_head + 4 * quad;
  for (var i = 0u; i < min(4, D - 4 * quad); i++) { values[i] = f32(v[at + i]); }
  return values;
}
