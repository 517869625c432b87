// What follows the sums of a column of out: bias, activation, residual.
fn store_column(col: u32, totals: array<f32, ROWS>) {
  var added = 0.0;
  if (BIAS) { added = f32(bias[params.bias_offset + col]); }
  for (var r = 0u; r < min(ROWS, params.rows); r++) {
    var value = activate(ACTIVATION, totals[r] + added);
    if (RESIDUAL) { value += f32(residual[params.residual_offset + r * params.residual_row + col]); }
    out[params.out_offset + r * params.out_row + col] = out_scalar(value);
  }
}
