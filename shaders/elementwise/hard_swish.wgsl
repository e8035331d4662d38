// x · min(max(x / 6 + 1/2, 0), 1): 0 up to -3, x from 3 on, so that the infinities have their limits; NaN stays NaN. After float.wgsl.
fn apply(x: f32) -> f32 {
  if (is_nan(x) || x >= 3.0) { return x; }
  if (x <= -3.0) { return 0.0; }
  return x * (x * (1.0 / 6.0) + 0.5);
}
