// a / b of integers, towards zero; 0 where b is 0, as NumPy has it.
fn apply(a: a_t, b: b_t) -> y_t {
  if (b == b_t(0)) { return y_t(0); }
  return a / b;
}
