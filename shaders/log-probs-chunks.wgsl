// tops = (largest order, mass below it, the n likeliest tokens) of each chunk of the model's own logits. One workgroup per chunk of a sequence.
struct Params { batch: u32, vocab: u32, chunks: u32, n: u32 }
@group(0) @binding(0) var<storage, read>       logits: array<f32>; // [batch, vocab]
@group(0) @binding(1) var<storage, read_write> tops: array<u32>;   // [batch, chunks, 3 + 2 n]: order, mass low, mass high, then (order, id)
@group(0) @binding(2) var<uniform>             params: Params;
var<workgroup> orders: array<u32, CHUNK>;
var<workgroup> mass_low: atomic<u32>;
var<workgroup> mass_high: atomic<u32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = flat_workgroup(workgroup, grid);
  let row = place / params.chunks;
  if (row >= params.batch) { return; }
  let start = place % params.chunks * CHUNK;
  let count = min(CHUNK, params.vocab - start);
  if (lane == 0u) {
    atomicStore(&mass_low, 0u);
    atomicStore(&mass_high, 0u);
  }
  for (var i = lane; i < count; i += LANES) { orders[i] = finite_order(logits[row * params.vocab + start + i]); }
  let out = place * (3u + 2u * params.n);
  let likeliest = following(Ranked(EVERYTHING, 0u), start, count, lane);
  var mass = vec2u();
  for (var i = lane; i < count; i += LANES) {
    if (orders[i] > 0u) { mass = wide_sum(mass, mass_of(score_of(likeliest.order) - score_of(orders[i]))); }
  }
  let low = atomicAdd(&mass_low, mass.x);
  atomicAdd(&mass_high, mass.y + u32(low + mass.x < low));
  var pick = likeliest;
  for (var k = 0u; k < params.n; k++) {
    if (lane == 0u) {
      tops[out + 3u + 2u * k] = pick.order;
      tops[out + 4u + 2u * k] = pick.id;
    }
    pick = following(pick, start, count, lane);
  }
  workgroupBarrier();
  if (lane == 0u) {
    tops[out] = likeliest.order;
    tops[out + 1u] = atomicLoad(&mass_low);
    tops[out + 2u] = atomicLoad(&mass_high);
  }
}

// The best token that is worse than `last`.
fn following(last: Ranked, start: u32, count: u32, lane: u32) -> Ranked {
  var own = Ranked(0u, EVERYTHING);
  for (var i = lane; i < count; i += LANES) {
    let one = Ranked(orders[i], start + i);
    if (one.order > 0u && better(last, one) && better(one, own)) { own = one; }
  }
  return next_best(own, lane);
}
