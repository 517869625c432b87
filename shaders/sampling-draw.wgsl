// out = the token where the masses, summed in the order of ids, pass a uniform draw of Philox(seed; step, sequence); or the likeliest. One workgroup per sequence.
struct Params { vocab: u32, chunks: u32, words: u32, seed_low: u32, seed_high: u32, most_drop: f32 }
@group(0) @binding(0) var<storage, read>       scores: array<u32>;  // [batch, vocab]
@group(0) @binding(1) var<storage, read>       peaks: array<u32>;   // [batch, chunks, PEAKS]
@group(0) @binding(2) var<storage, read>       masses: array<u32>;  // [batch, chunks, 4]
@group(0) @binding(3) var<storage, read_write> rows: array<u32>;    // [batch, ROW]
@group(0) @binding(4) var<storage, read_write> counts: array<u32>;  // [batch, vocab]
@group(0) @binding(5) var<storage, read_write> records: array<u32>; // [steps, batch, words] token, fault: 1 not a number, 2 nothing allowed
@group(0) @binding(6) var<storage, read_write> out: array<i32>;     // [batch, 1]
@group(0) @binding(7) var<uniform>             params: Params;
override DRAWS: bool;
override TYPICAL: bool;
override COUNTS: bool;
var<workgroup> likeliest: atomic<u32>;
var<workgroup> fault: atomic<u32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup.x;
  let step = rows[row * ROW + STEP];
  if (lane == 0u) {
    atomicStore(&likeliest, EVERYTHING);
    atomicStore(&fault, 0u);
  }
  let peak = peak_of(row, lane);
  for (var i = lane; i < params.chunks; i += LANES) {
    let at = (row * params.chunks + i) * PEAKS;
    if (peaks[at] == peak) { atomicMin(&likeliest, peaks[at + 1u]); }
    atomicOr(&fault, peaks[at + 2u]);
  }
  workgroupBarrier();
  var token = atomicLoad(&likeliest);
  if (DRAWS) { token = draw(row, step, peak, lane); }
  if (lane != 0u) { return; }
  if (peak == 0u) { token = 0u; }
  out[row] = i32(token);
  if (COUNTS) { counts[row * params.vocab + token]++; }
  let at = (step * grid.x + row) * params.words;
  records[at] = token;
  records[at + 1u] = select(select(0u, 2u, peak == 0u), 1u, atomicLoad(&fault) == 1u);
  rows[row * ROW + STEP] = step + 1u;
}

// The last token before which there is less mass than the point drawn: first its chunk is found, then, among bins of two tokens each, its pair.
fn draw(row: u32, step: u32, peak: u32, lane: u32) -> u32 {
  let uniform_word = philox4x32(vec4u(step, row, 0u, 0u), vec2u(params.seed_low, params.seed_high)).x;
  let cutoffs = cutoffs_of(row, peak);
  var limit = NO_LIMIT;
  var place: Found;
  var start = 0u;
  for (var stage = 0u; stage < opaque(3u); stage++) { // the sum of all, the chunk, the pair
    if (stage != 1u) { clear_bins(lane); }
    if (stage == 0u) { tally_chunks(row, lane); }
    if (stage == 2u) { start = place.bin * CHUNK; tally_pairs(row, start, cutoffs, lane); }
    var before = Sum();
    if (stage == 2u) { before = place.before; }
    place = find_bin(before, limit, lane);
    if (stage == 0u) { limit.mass = wide_sum(wide_share(place.total.mass, uniform_word), vec2u(1u, 0u)); }
  }
  let first = start + 2u * place.bin;
  let mass = mass_at(row, first, cutoffs);
  let second = mass_at(row, first + 1u, cutoffs);
  return first + u32(all(mass == vec2u()) || (any(second != vec2u()) && wide_less(wide_sum(place.before.mass, mass), limit.mass)));
}

fn tally_chunks(row: u32, lane: u32) {
  for (var i = lane; i < params.chunks; i += LANES) {
    let at = 4u * (row * params.chunks + i);
    let mass = vec2u(masses[at], masses[at + 1u]);
    if (any(mass != vec2u())) { tally(i, mass); }
  }
}

fn tally_pairs(row: u32, start: u32, cutoffs: Cutoffs, lane: u32) {
  for (var i = lane; i < min(CHUNK, params.vocab - start); i += LANES) {
    let mass = mass_at(row, start + i, cutoffs);
    if (any(mass != vec2u())) { tally(i / 2u, mass); }
  }
}

fn mass_at(row: u32, id: u32, cutoffs: Cutoffs) -> vec2u {
  if (id >= params.vocab) { return vec2u(); }
  let order = scores[row * params.vocab + id];
  if (!kept(TYPICAL, order, cutoffs)) { return vec2u(); }
  return mass_of(score_of(cutoffs.peak) - score_of(order));
}
