// The bins in which the limits of count and mass are reached, and a list of the tokens in them, in no order. One workgroup per chunk of a sequence.
struct Params { batch: u32, vocab: u32, chunks: u32, most: u32, share: u32, most_drop: f32 } // most: top-k; share: top-p in 2^-32
@group(0) @binding(0) var<storage, read>       scores: array<u32>; // [batch, vocab]
@group(0) @binding(1) var<storage, read_write> rows: array<u32>;   // [batch, ROW]
@group(0) @binding(2) var<storage, read_write> histogram: array<atomic<u32>>; // [batch, HISTOGRAM]
@group(0) @binding(3) var<storage, read_write> candidates: array<u32>; // [batch, vocab] orders
@group(0) @binding(4) var<uniform>             params: Params;
override TYPICAL: bool;
override SHARE: bool;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = flat_workgroup(workgroup, grid);
  let row = place / params.chunks;
  if (row >= params.batch) { return; }
  let bins = row * HISTOGRAM;
  for (var i = lane; i < BINS; i += LANES) {
    atomicStore(&bin_counts[i], atomicLoad(&histogram[bins + i]));
    atomicStore(&bin_lows[i], atomicLoad(&histogram[bins + BINS + i]));
    atomicStore(&bin_highs[i], atomicLoad(&histogram[bins + 2u * BINS + i]));
  }
  var limit = Sum(params.most, NO_LIMIT.mass);
  var cuts = false;
  var first: Found;
  var last = 0u;
  for (var by = 0u; by < opaque(1u + u32(SHARE)); by++) { // first by count, then by share
    first = find_bin(Sum(), limit, lane);
    if (by == 0u) { cuts = first.total.count > params.most; }
    if (by == 0u || !cuts) { last = first.bin; }
    // The share of what top-k keeps ends no earlier than that of the bins it keeps whole.
    limit = Sum(EVERYTHING, wide_limit(select(first.total.mass, first.before.mass, cuts), params.share));
  }
  if (place % params.chunks == 0u && lane == 0u) {
    let at = row * ROW;
    rows[at + BEFORE] = first.before.count;
    rows[at + BEFORE + 1u] = first.before.mass.x;
    rows[at + BEFORE + 2u] = first.before.mass.y;
    rows[at + TOTAL] = first.total.mass.x;
    rows[at + TOTAL + 1u] = first.total.mass.y;
    rows[at + CUTS] = u32(cuts);
  }
  if (!SHARE && !cuts) { return; }
  let peak = rows[row * ROW + PEAK];
  let low = rows[row * ROW + LOW];
  let mean = bitcast<f32>(rows[row * ROW + MEAN]);
  let start = place % params.chunks * CHUNK;
  let end = min(start + CHUNK, params.vocab);
  for (var id = start + lane; id < end; id += LANES) {
    let order = scores[row * params.vocab + id];
    if (order == 0u) { continue; }
    let drop = score_of(peak) - score_of(order);
    if (TYPICAL && (order < low || drop > params.most_drop)) { continue; }
    let bin = bin_of(TYPICAL, drop, mean);
    if (bin < first.bin || bin > last) { continue; }
    candidates[row * params.vocab + atomicAdd(&histogram[bins + 3u * BINS], 1u)] = order;
  }
}
