// bans[t] = STEP + 1 for every t that followed, somewhere in the sequence, the n - 1 tokens that end it now. One invocation per position.
struct Params { vocab: u32, room: u32, words: u32, n: u32 }
@group(0) @binding(0) var<storage, read>       prompt: array<i32>;  // [batch, room]
@group(0) @binding(1) var<storage, read>       records: array<u32>; // [steps, batch, words], the token first
@group(0) @binding(2) var<storage, read>       rows: array<u32>;    // [batch, ROW]
@group(0) @binding(3) var<storage, read_write> bans: array<u32>;    // [batch, vocab]
@group(0) @binding(4) var<uniform>             params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) place: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let row = place.y;
  let step = rows[row * ROW + STEP];
  let length = rows[row * ROW + PROMPT] + step;
  let end = place.x + params.n - 1u; // of the n-gram, inclusive
  if (end >= length) { return; }
  for (var i = 0u; i + 1u < params.n; i++) {
    if (token_at(row, place.x + i, grid.y) != token_at(row, length + 1u - params.n + i, grid.y)) { return; }
  }
  let token = token_at(row, end, grid.y);
  if (token < params.vocab) { bans[row * params.vocab + token] = step + 1u; }
}

fn token_at(row: u32, i: u32, batch: u32) -> u32 {
  let prompt_length = rows[row * ROW + PROMPT];
  if (i < prompt_length) { return u32(prompt[row * params.room + i]); }
  return records[((i - prompt_length) * batch + row) * params.words];
}
