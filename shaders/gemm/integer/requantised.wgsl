// An integer sum, with the bias, as a byte of the result's scale: saturate(round half to even(sum * sa * sb / sy) + zy), least LEAST,
// most MOST. A NaN gives the zero point; so does a sum of 0, even where the scales' product overflows. After float.wgsl.
fn requantised(slice: Slice, row: u32, column: u32, products: i32) -> i32 {
  let sum = products + bias(slice, row);
  let quotient = f32(sum) * (a_scale(slice, row) * b_scale(slice, column) / y_scale(slice, row));
  if (sum == 0 || is_nan(quotient)) { return y_zero(slice, row); }
  // Held to what both zero points and bytes can reach before it becomes an integer.
  return clamp(i32(round(clamp(quotient, -1024.0, 1024.0))) + y_zero(slice, row), LEAST, MOST);
}
