// histogram[bin_of(token)] += (1, mass of the token), over the tokens still in play. One workgroup per chunk of a sequence.
struct Params { batch: u32, vocab: u32, chunks: u32, most_drop: f32 }
@group(0) @binding(0) var<storage, read>       scores: array<u32>; // [batch, vocab]
@group(0) @binding(1) var<storage, read>       peaks: array<u32>;  // [batch, chunks, PEAKS]
@group(0) @binding(2) var<storage, read>       masses: array<u32>; // [batch, chunks, 4], read for typical sampling
@group(0) @binding(3) var<storage, read_write> rows: array<u32>;   // [batch, ROW]
@group(0) @binding(4) var<storage, read_write> histogram: array<atomic<u32>>; // [batch, HISTOGRAM], zero at first
@group(0) @binding(5) var<uniform>             params: Params;
override TYPICAL: bool;
override SHARE: bool; // whether masses are wanted besides counts
var<workgroup> mean: f32;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = flat_workgroup(workgroup, grid);
  let row = place / params.chunks;
  if (row >= params.batch) { return; }
  clear_bins(lane);
  let peak = peak_of(row, lane);
  var center = 0.0;
  if (TYPICAL) { center = mean_drop(row, lane); }
  if (place % params.chunks == 0u && lane == 0u) {
    rows[row * ROW + PEAK] = peak;
    rows[row * ROW + MEAN] = bitcast<u32>(center);
  }
  let low = rows[row * ROW + LOW];
  let start = place % params.chunks * CHUNK;
  let end = min(start + CHUNK, params.vocab);
  for (var id = start + lane; id < end; id += LANES) {
    let order = scores[row * params.vocab + id];
    if (order == 0u) { continue; }
    let drop = score_of(peak) - score_of(order);
    if (TYPICAL && (order < low || drop > params.most_drop)) { continue; }
    var mass = vec2u();
    if (SHARE) { mass = mass_of(drop); }
    tally(bin_of(TYPICAL, drop, center), mass);
  }
  workgroupBarrier();
  let out = row * HISTOGRAM;
  for (var i = lane; i < BINS; i += LANES) {
    let sum = bin_at(i);
    if (sum.count == 0u) { continue; }
    atomicAdd(&histogram[out + i], sum.count);
    if (SHARE) {
      let before = atomicAdd(&histogram[out + BINS + i], sum.mass.x);
      atomicAdd(&histogram[out + 2u * BINS + i], sum.mass.y + u32(before + sum.mass.x < before));
    }
  }
}

// Σ mass * drop / Σ mass.
fn mean_drop(row: u32, lane: u32) -> f32 {
  if (lane == 0u) {
    var mass = vec2u();
    var drops = vec2u();
    for (var i = row * params.chunks; i < (row + 1u) * params.chunks; i++) {
      mass = wide_sum(mass, vec2u(masses[4u * i], masses[4u * i + 1u]));
      drops = wide_sum(drops, vec2u(masses[4u * i + 2u], masses[4u * i + 3u]));
    }
    mean = wide_float(drops) / max(wide_float(mass), 1.0);
  }
  return workgroupUniformLoad(&mean);
}
