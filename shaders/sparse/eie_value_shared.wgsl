// Entries name one of 16 shared values, by nibbles, eight to a word.
fn value_at(entry: u32) -> f32 {
  return load_codebook((load_values(entry / 8u) >> (4u * (entry & 7u))) & 15u);
}
