// Zeros before an entry: nibbles, eight to a word.
fn zeros_before(entry: u32) -> u32 {
  return (load_zeros(entry / 8u) >> (4u * (entry & 7u))) & 15u;
}
