// Adds up what SHARE neighbours summed, through workgroup memory.
var<private> sums: array<array<f32, ROWS>, COLS>;
var<workgroup> parts: array<array<array<f32, ROWS>, COLS>, LANES>;

// The totals of the column that is the invocation's own: number lane % SHARE of COLS. All must call.
fn totals_of(lane: u32) -> array<f32, ROWS> {
  parts[lane] = sums;
  workgroupBarrier();
  var totals: array<f32, ROWS>;
  let first = lane - lane % SHARE;
  for (var i = 0u; i < SHARE; i++) {
    for (var r = 0u; r < ROWS; r++) { totals[r] += parts[first + i][min(lane % SHARE, COLS - 1u)][r]; }
  }
  return totals;
}
