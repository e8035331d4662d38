// Folding to the maximum; NaN is greater than anything.
fn combine(a: f32, b: f32) -> f32 {
  return select(a, b, !is_nan(a) && (b > a || is_nan(b)));
}

fn finished(value: f32) -> f32 {
  return value;
}
