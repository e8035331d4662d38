// max(x, 0); NaN stays NaN. After float.wgsl.
fn apply(x: f32) -> f32 {
  if (x > 0.0 || is_nan(x)) { return x; }
  return 0.0;
}
