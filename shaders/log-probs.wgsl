// records = log-probabilities of the chosen token and of the n likeliest: logit - log(sum of exp(logits)). One workgroup per sequence.
struct Params { vocab: u32, chunks: u32, n: u32 }
@group(0) @binding(0) var<storage, read>       logits: array<f32>;  // [batch, vocab]
@group(0) @binding(1) var<storage, read>       tops: array<u32>;    // [batch, chunks, 3 + 2 n]
@group(0) @binding(2) var<storage, read>       rows: array<u32>;    // [batch, ROW], the step already counted
@group(0) @binding(3) var<storage, read_write> records: array<u32>; // [steps, batch, 3 + 2 n] token, fault, f32 log-probability, then (token, f32)
@group(0) @binding(4) var<uniform>             params: Params;
var<workgroup> mass_low: atomic<u32>;
var<workgroup> mass_high: atomic<u32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup.x;
  let words = 3u + 2u * params.n;
  let first = row * params.chunks;
  if (lane == 0u) {
    atomicStore(&mass_low, 0u);
    atomicStore(&mass_high, 0u);
  }
  var own = Ranked(0u, EVERYTHING);
  for (var i = lane; i < params.chunks; i += LANES) { own.order = max(own.order, tops[(first + i) * words]); }
  let peak = score_of(max(next_best(own, lane).order, 1u));
  var mass = vec2u();
  for (var i = lane; i < params.chunks; i += LANES) {
    let at = (first + i) * words;
    if (tops[at] == 0u) { continue; }
    let share = min(exp(score_of(tops[at]) - peak) * 4294967296.0, 4294967040.0); // the largest f32 below 2^32
    mass = wide_sum(mass, wide_share(vec2u(tops[at + 1u], tops[at + 2u]), u32(share)));
  }
  let low = atomicAdd(&mass_low, mass.x);
  atomicAdd(&mass_high, mass.y + u32(low + mass.x < low));
  workgroupBarrier();
  let log_sum = log(wide_float(vec2u(atomicLoad(&mass_low), atomicLoad(&mass_high)))) - 27.725887222397812; // less log(2^40)
  let at = ((rows[row * ROW + STEP] - 1u) * grid.x + row) * words;
  if (lane == 0u) { records[at + 2u] = bitcast<u32>(logits[row * params.vocab + records[at]] - peak - log_sum); }
  var last = Ranked(EVERYTHING, 0u);
  for (var k = 0u; k < params.n; k++) {
    own = Ranked(0u, EVERYTHING);
    for (var i = lane; i < params.chunks * params.n; i += LANES) {
      let entry = (first + i / params.n) * words + 3u + 2u * (i % params.n);
      let one = Ranked(tops[entry], tops[entry + 1u]);
      if (one.order > 0u && better(last, one) && better(one, own)) { own = one; }
    }
    last = next_best(own, lane);
    if (lane == 0u) {
      records[at + 3u + 2u * k] = last.id; // -1 where there are not so many
      records[at + 4u + 2u * k] = bitcast<u32>(score_of(last.order) - peak - log_sum);
    }
  }
}
