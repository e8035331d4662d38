// Indices of entries, a word each.
fn index_at(entry: u32) -> u32 {
  return load_indices(entry);
}
