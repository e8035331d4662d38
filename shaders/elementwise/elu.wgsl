// x where x >= 0, else alpha · (e^x - 1). After float.wgsl.
fn apply(x: f32) -> f32 {
  if (x < 0.0) { return params.alpha * expm1_negative(x); }
  return x;
}
