// Entries have values of their own.
fn value_at(entry: u32) -> f32 {
  return load_values(entry);
}
