// Whether top-k, top-p, min-p (most_drop) and, once it is known, typical sampling keep a token.
struct Cutoffs { low: u32, spread: u32, peak: u32, mean: f32 }

fn cutoffs_of(row: u32, peak: u32) -> Cutoffs {
  let at = row * ROW;
  return Cutoffs(max(rows[at + LOW], 1u), rows[at + SPREAD], peak, bitcast<f32>(rows[at + MEAN]));
}

fn kept(typical: bool, order: u32, cutoffs: Cutoffs) -> bool {
  if (order < cutoffs.low || score_of(cutoffs.peak) - score_of(order) > params.most_drop) { return false; }
  return !typical || key_of(true, order, cutoffs.peak, cutoffs.mean) <= cutoffs.spread;
}
