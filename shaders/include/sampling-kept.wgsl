// Whether top-k, top-p, min-p (most_drop) and, once it is known, typical sampling keep a token.
fn kept(typical: bool, row: u32, order: u32, peak: u32) -> bool {
  if (order < max(rows[row * ROW + LOW], 1u) || score_of(peak) - score_of(order) > params.most_drop) { return false; }
  return !typical || key_of(true, order, peak, bitcast<f32>(rows[row * ROW + MEAN])) <= rows[row * ROW + SPREAD];
}
