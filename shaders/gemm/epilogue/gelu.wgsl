// GELU by tanh: x * sigmoid(2u), u = sqrt(2 / pi) * (x + 0.044715 x^3), by e^-|2u|, which cannot overflow. After float.wgsl.
fn apply(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  let twice = 1.5957691216057308 * x * (1.0 + 0.044715 * x * x);
  let e = exp(-abs(twice));
  let part = select(1.0, e, x < 0.0) / (1.0 + e);
  return select(x * part, 0.0, part == 0.0);
}
