// The bits of a half float; a zero of either sign is 0.
fn value_at(index: u32) -> u32 {
  let bits = bitcast<u32>(vec2<f16>(load_x(index), 0.0h)) & 0xffffu;
  return select(bits, 0u, bits == 0x8000u);
}
