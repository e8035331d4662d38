// 1 / (1 + e^-x), by e^-|x|, which cannot overflow. After float.wgsl.
fn apply(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  let e = exp(-abs(x));
  return select(1.0, e, x < 0.0) / (1.0 + e);
}
