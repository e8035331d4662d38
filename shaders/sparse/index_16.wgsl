// Indices of entries, two to a word, the lower half first.
fn index_at(entry: u32) -> u32 {
  return (load_indices(entry / 2u) >> (16u * (entry & 1u))) & 0xffffu;
}
