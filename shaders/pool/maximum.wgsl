// Folding to the maximum; NaN is greater than anything.
fn combine(a: x_t, b: x_t) -> x_t {
  return select(a, b, !is_nan(a) & ((b > a) | is_nan(b)));
}

fn finished(value: x_t, count: u32) -> x_t {
  return value;
}
