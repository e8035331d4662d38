// NaN by its bits: compilers may assume that no float is NaN, but not what a pattern of bits is.
fn is_nan(value: x_t) -> flag_t {
  return (bitcast<bits_t>(value) & bits_t(0x7fffffffu)) > bits_t(0x7f800000u);
}
