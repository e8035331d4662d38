// NaN by its bits: compilers may assume that no float is NaN, but not what a pattern of bits is.
fn is_nan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}
