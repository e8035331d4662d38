// x where x >= 0, else slope · x.
fn apply(a: a_t, b: b_t) -> y_t {
  if (a < a_t(0)) { return a * b; }
  return a;
}
