// No activation, relu and clip as one, so that all three share a kernel: bounds are params, infinite where there are none. NaN stays.
// After float.wgsl.
fn apply(x: f32) -> f32 {
  return select(min(max(x, params.low), params.high), x, is_nan(x));
}
