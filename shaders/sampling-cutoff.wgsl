// The last key that a limit keeps: a token stays if those strictly better are fewer than top-k and hold less than the share of the mass. One workgroup per sequence.
struct Params { vocab: u32, most: u32, share: u32 }
@group(0) @binding(0) var<storage, read>       candidates: array<u32>; // [batch, vocab] orders
@group(0) @binding(1) var<storage, read_write> rows: array<u32>;       // [batch, ROW]
@group(0) @binding(2) var<storage, read_write> histogram: array<u32>;  // [batch, HISTOGRAM]; left zero for the next time
@group(0) @binding(3) var<uniform>             params: Params;
override TYPICAL: bool;
override MOST: bool;
override SHARE: bool;

struct Cutoff { key: u32, mass: vec2u } // mass: of the tokens that it keeps

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup.x;
  let at = row * ROW;
  let start = Sum(rows[at + BEFORE], vec2u(rows[at + BEFORE + 1u], rows[at + BEFORE + 2u]));
  let cuts = rows[at + CUTS] == 1u;
  var mass = vec2u(rows[at + TOTAL], rows[at + TOTAL + 1u]);
  var key = EVERYTHING;
  for (var by = u32(!MOST); by < opaque(1u + u32(SHARE)); by++) { // first by count, then by share
    var limit = Sum(params.most, NO_LIMIT.mass);
    if (by == 1u) { limit = Sum(EVERYTHING, wide_limit(mass, params.share)); }
    let cutoff = search(row, start, limit, lane);
    if (by == 1u || cuts) { key = min(key, cutoff.key); mass = cutoff.mass; }
  }
  if (lane == 0u) {
    let peak = rows[at + PEAK];
    if (TYPICAL) { rows[at + SPREAD] = key; } else { rows[at + LOW] = select(1u, max(peak - key, 1u), key < peak); }
  }
  workgroupBarrier();
  for (var i = lane; i < HISTOGRAM; i += LANES) { histogram[row * HISTOGRAM + i] = 0u; }
}

// A radix search over the candidates' keys, 8 bits at a time.
fn search(row: u32, start: Sum, limit: Sum, lane: u32) -> Cutoff {
  let listed = histogram[row * HISTOGRAM + 3u * BINS];
  let peak = rows[row * ROW + PEAK];
  let mean = bitcast<f32>(rows[row * ROW + MEAN]);
  var prefix = 0u;
  var before = start;
  var through = start;
  for (var level = 0u; level < opaque(4u); level++) {
    let shift = 24u - 8u * level;
    clear_bins(lane);
    for (var i = lane; i < listed; i += LANES) {
      let order = candidates[row * params.vocab + i];
      let key = key_of(TYPICAL, order, peak, mean);
      if (level > 0u && (key >> (shift + 8u)) != prefix) { continue; }
      tally((key >> shift) & 255u, mass_of(score_of(peak) - score_of(order)));
    }
    let bin = find_bin(before, limit, lane);
    prefix = (prefix << 8) | bin.bin;
    before = bin.before;
    through = bin.through;
  }
  return Cutoff(prefix, through.mass);
}
