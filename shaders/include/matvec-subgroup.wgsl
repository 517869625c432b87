// Adds up what SHARE neighbours summed, through subgroup operations; the lanes of a subgroup are neighbours in the workgroup.
var<private> sums: array<array<f32, ROWS>, COLS>;

// The totals of the column that is the invocation's own: number lane % SHARE of COLS. All must call.
fn totals_of(lane: u32) -> array<f32, ROWS> {
  var totals: array<f32, ROWS>;
  for (var c = 0u; c < COLS; c++) {
    for (var r = 0u; r < ROWS; r++) {
      var total = sums[c][r];
      for (var width = SHARE / 2u; width > 0; width /= 2) { total += subgroupShuffleXor(total, width); }
      if (lane % SHARE == c) { totals[r] = total; }
    }
  }
  return totals;
}
