// The bias of a filter.
fn bias_of(filter_index: u32) -> f32 {
  return load_bias(filter_index);
}
