// Puts the slots of each expert next to each other, in rising order, and cuts them into tiles of at most ROWS, so that a product reads an expert's weights once per tile.
// One workgroup; an invocation looks after every LANES-th expert.
struct Params { slots: u32, experts: u32, tiles: u32 }
@group(0) @binding(0) var<storage, read>       ids: array<i32>;         // [slots]
@group(0) @binding(1) var<storage, read_write> order: array<u32>;       // [slots]
@group(0) @binding(2) var<storage, read_write> tiles: array<vec4<u32>>; // [tiles, 4]: expert, first place in order, slots (0 past the last tile), 0
@group(0) @binding(3) var<uniform>             params: Params;
const LANES = 256;
const MOST = 1024; // experts
var<workgroup> counts: array<u32, MOST>;
var<workgroup> places: array<vec2u, MOST>; // an expert's first place in order, and its first tile
var<workgroup> used: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var expert = lane; expert < params.experts; expert += LANES) {
    var count = 0u;
    for (var slot = 0u; slot < params.slots; slot++) { count += u32(u32(ids[slot]) == expert); }
    counts[expert] = count;
  }
  workgroupBarrier();
  if (lane == 0) {
    var next = vec2u();
    for (var expert = 0u; expert < params.experts; expert++) {
      places[expert] = next;
      next += vec2u(counts[expert], (counts[expert] + ROWS - 1) / ROWS);
    }
    used = next.y;
  }
  workgroupBarrier();
  for (var expert = lane; expert < params.experts; expert += LANES) {
    let count = counts[expert];
    let first = places[expert];
    var found = 0u;
    for (var slot = 0u; slot < params.slots && found < count; slot++) {
      if (u32(ids[slot]) == expert) { order[first.x + found] = slot; found++; }
    }
    for (var done = 0u; done < count; done += ROWS) { tiles[first.y + done / ROWS] = vec4u(expert, first.x + done, min(ROWS, count - done), 0); }
  }
  for (var tile = used + lane; tile < params.tiles; tile += LANES) { tiles[tile] = vec4u(); }
}
