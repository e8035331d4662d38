// Floating-point helpers. Compilers may assume that NaN does not occur, so NaN is told by its bits.

fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

/// e^x - 1 for x <= 0 without the cancellation near 0: Taylor's series to x^12 for x > -1 (the next term is below 2^-32).
fn expm1_negative(x: f32) -> f32 {
  if (x <= -1.0) { return exp(x) - 1.0; }
  var sum = 1.0 / 12.0;
  for (var n = 11u; n >= 1u; n--) { sum = (1.0 + x * sum) / f32(n); }
  return x * sum;
}
