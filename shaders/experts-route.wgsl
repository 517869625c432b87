// ids[r,:] = the experts with the largest logits, of equals the first one first; shares[r,:] = their softmax over all experts, or over themselves (NORMALISED).
// One workgroup per row. Each turn takes the largest that follows the one before, in the order of falling logits and rising numbers.
struct Params { rows: u32, experts: u32, used: u32 }
@group(0) @binding(0) var<storage, read>       logits: array<scalar>; // [rows, experts]
@group(0) @binding(1) var<storage, read_write> ids: array<i32>;       // [rows, used]
@group(0) @binding(2) var<storage, read_write> shares: array<f32>;    // [rows, used]
@group(0) @binding(3) var<uniform>             params: Params;
override NORMALISED: bool;
const LEAST = -3.0e38;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = flat_workgroup(workgroup, grid);
  if (row >= params.rows) { return; }
  let start = row * params.experts;
  let first = row * params.used;
  var largest = LEAST;
  var last = 0.0;
  var last_id = 0u;
  var chosen = 0.0; // of the softmax's numerators
  for (var turn = 0u; turn < params.used; turn++) {
    var best = LEAST;
    var id = params.experts;
    for (var i = lane; i < params.experts; i += LANES) {
      let logit = max(f32(logits[start + i]), LEAST);
      let left = turn == 0 || logit < last || (logit == last && i > last_id);
      if (left && (logit > best || id == params.experts)) { best = logit; id = i; }
    }
    last = workgroup_max(best, lane);
    let lowest = -workgroup_max(select(-f32(params.experts), -f32(id), best == last), lane);
    last_id = min(u32(lowest), params.experts - 1); // also where logits are no numbers
    if (turn == 0) { largest = last; }
    let share = exp(last - largest);
    chosen += share;
    if (lane == 0) {
      ids[first + turn] = i32(last_id);
      shares[first + turn] = share;
    }
  }
  var total = 0.0;
  for (var i = lane; i < params.experts; i += LANES) { total += exp(f32(logits[start + i]) - largest); }
  total = workgroup_sum(total, lane);
  if (lane != 0) { return; }
  for (var turn = 0u; turn < params.used; turn++) { shares[first + turn] /= select(total, chosen, NORMALISED); }
}
