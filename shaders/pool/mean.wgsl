// Folding to the mean.
fn combine(a: x_t, b: x_t) -> x_t {
  return a + b;
}

fn finished(sum: x_t, count: u32) -> x_t {
  return sum / f32(count);
}
