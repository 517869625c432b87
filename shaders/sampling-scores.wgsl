// scores = order(penalties(logits + bias) / temperature), 0 where forbidden; peaks = the largest of each chunk. One workgroup per chunk of a sequence.
struct Params { batch: u32, vocab: u32, chunks: u32, mask_rows: u32, repetition: f32, presence: f32, frequency: f32, temperature: f32 }
@group(0) @binding(0) var<storage, read>       logits: array<f32>; // [batch, vocab]
@group(0) @binding(1) var<storage, read>       bias: array<f32>;   // [vocab], -Infinity forbids
@group(0) @binding(2) var<storage, read>       allowed: array<u32>; // [1 or batch, ceil(vocab / 32)], a bit per token
@group(0) @binding(3) var<storage, read>       counts: array<u32>; // [batch, vocab] times generated; bit 31: in the prompt
@group(0) @binding(4) var<storage, read>       bans: array<u32>;   // [batch, vocab] STEP + 1 where forbidden now
@group(0) @binding(5) var<storage, read>       rows: array<u32>;   // [batch, ROW]
@group(0) @binding(6) var<storage, read_write> scores: array<u32>; // [batch, vocab]
@group(0) @binding(7) var<storage, read_write> peaks: array<u32>;  // [batch, chunks, PEAKS]
@group(0) @binding(8) var<uniform>             params: Params;
override BIAS: bool;
override ALLOWED: bool;
override PENALTIES: bool;
override BANS: bool;
var<workgroup> best: atomic<u32>;
var<workgroup> best_id: atomic<u32>;
var<workgroup> fault: atomic<u32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = flat_workgroup(workgroup, grid);
  let row = place / params.chunks;
  if (row >= params.batch) { return; }
  if (lane == 0u) {
    atomicStore(&best, 0u);
    atomicStore(&best_id, EVERYTHING);
    atomicStore(&fault, 0u);
  }
  workgroupBarrier();
  let start = place % params.chunks * CHUNK;
  let end = min(start + CHUNK, params.vocab);
  var largest = 0u;
  var largest_id = EVERYTHING;
  for (var id = start + lane; id < end; id += LANES) {
    let order = order_at(row, id);
    scores[row * params.vocab + id] = order;
    if (order > largest) { largest = order; largest_id = id; }
  }
  atomicMax(&best, largest);
  workgroupBarrier();
  if (largest == atomicLoad(&best)) { atomicMin(&best_id, largest_id); }
  workgroupBarrier();
  if (lane == 0u) {
    peaks[place * PEAKS] = atomicLoad(&best);
    peaks[place * PEAKS + 1u] = atomicLoad(&best_id);
    peaks[place * PEAKS + 2u] = atomicLoad(&fault);
  }
}

fn order_at(row: u32, id: u32) -> u32 {
  let at = row * params.vocab + id;
  var x = logits[at];
  let bits = bitcast<u32>(x);
  if (finite_order(x) == 0u) {
    if (bits != (INFINITY | 0x80000000u)) { atomicOr(&fault, 1u); }
    return 0u;
  }
  if (BIAS) {
    if (finite_order(bias[id]) == 0u) { return 0u; }
    x += bias[id];
  }
  if (PENALTIES) {
    let count = counts[at];
    let generated = count & 0x7fffffffu;
    if (count > 0u) { x = select(x / params.repetition, x * params.repetition, x < 0.0); }
    if (generated > 0u) { x -= params.presence + params.frequency * f32(generated); }
  }
  if (BANS) {
    if (bans[at] == rows[row * ROW + STEP] + 1u) { return 0u; }
  }
  if (ALLOWED) {
    let words = (params.vocab + 31u) / 32u;
    if (((allowed[row % params.mask_rows * words + id / 32u] >> (id % 32u)) & 1u) == 0u) { return 0u; }
  }
  return order_of(clamp(x / params.temperature, -1.7e38, 1.7e38));
}
