// An index that lies as i64 (low and high word). What i32 does not hold becomes the most negative i32: outside of any axis.
fn position(index: indices_t) -> i32 {
  let low = bitcast<i32>(index.x);
  if (bitcast<i32>(index.y) != low >> 31u) { return i32(0x80000000u); }
  return low;
}
