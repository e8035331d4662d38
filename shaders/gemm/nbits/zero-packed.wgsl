// Zero points packed as the weights are; each column begins at a byte, and has params.zero_bytes of them.
fn zero_of(column: u32, block: u32) -> f32 {
  let byte = load_zeros(column * params.zero_bytes + block * BITS / 8u);
  return f32((byte >> ((block * BITS) % 8u)) & MASK);
}
