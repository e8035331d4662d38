// Folding to the mean.
fn combine(a: f32, b: f32) -> f32 {
  return a + b;
}

fn finished(sum: f32) -> f32 {
  return sum / f32(params.row_size);
}
