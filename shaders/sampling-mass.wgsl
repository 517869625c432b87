// masses = (sum of mass, sum of mass * drop) over the tokens of each chunk that are kept. One workgroup per chunk of a sequence.
struct Params { batch: u32, vocab: u32, chunks: u32, most_drop: f32 }
@group(0) @binding(0) var<storage, read>       scores: array<u32>; // [batch, vocab]
@group(0) @binding(1) var<storage, read>       peaks: array<u32>;  // [batch, chunks, PEAKS]
@group(0) @binding(2) var<storage, read_write> rows: array<u32>;   // [batch, ROW]
@group(0) @binding(3) var<storage, read_write> masses: array<u32>; // [batch, chunks, 4]
@group(0) @binding(4) var<uniform>             params: Params;
override TYPICAL: bool;
override DROPS: bool; // whether the second sum is wanted
var<workgroup> sums: array<atomic<u32>, 4>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = flat_workgroup(workgroup, grid);
  let row = place / params.chunks;
  if (row >= params.batch) { return; }
  if (lane < 4u) { atomicStore(&sums[lane], 0u); }
  let peak = peak_of(row, lane);
  if (place % params.chunks == 0u && lane == 0u) { rows[row * ROW + PEAK] = peak; }
  let start = place % params.chunks * CHUNK;
  let end = min(start + CHUNK, params.vocab);
  let cutoffs = cutoffs_of(row, peak);
  var mass = vec2u();
  var drops = vec2u();
  for (var id = start + lane; id < end; id += LANES) {
    let order = scores[row * params.vocab + id];
    if (!kept(TYPICAL, order, cutoffs)) { continue; }
    let drop = score_of(peak) - score_of(order);
    let own = mass_of(drop);
    mass = wide_sum(mass, own);
    if (DROPS) { drops = wide_sum(drops, wide_share(times_32(own), u32(min(drop, 28.0) * 134217728.0))); } // the drop in units of 2^-27
  }
  add(0u, mass);
  add(2u, drops);
  workgroupBarrier();
  if (lane < 4u) { masses[4u * place + lane] = atomicLoad(&sums[lane]); }
}

fn times_32(a: vec2u) -> vec2u {
  return vec2u(a.x << 5, (a.y << 5) | (a.x >> 27));
}

fn add(at: u32, sum: vec2u) {
  let low = atomicAdd(&sums[at], sum.x);
  atomicAdd(&sums[at + 1u], sum.y + u32(low + sum.x < low));
}
