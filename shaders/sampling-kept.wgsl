// out = score where the token is kept, else -Infinity: what a chain of logits processors would return. One invocation per token.
struct Params { batch: u32, vocab: u32, most_drop: f32 }
@group(0) @binding(0) var<storage, read>       scores: array<u32>; // [batch, vocab]
@group(0) @binding(1) var<storage, read>       rows: array<u32>;   // [batch, ROW]
@group(0) @binding(2) var<storage, read_write> out: array<u32>;    // [batch, vocab] bits of f32: WGSL knows no infinity
@group(0) @binding(3) var<uniform>             params: Params;
override WARPED: bool;
override TYPICAL: bool;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flat_workgroup(workgroup, grid) * LANES + lane;
  if (i >= params.batch * params.vocab) { return; }
  let row = i / params.vocab;
  let order = scores[i];
  var stays = order > 0u;
  if (WARPED) { stays = kept(TYPICAL, order, cutoffs_of(row, rows[row * ROW + PEAK])); }
  out[i] = select(0xff800000u, bitcast<u32>(score_of(order)), stays);
}
