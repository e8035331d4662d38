// No integer is NaN.
fn is_nan(value: x_t) -> bool {
  return false;
}
