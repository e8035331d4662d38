// A convolution without bias.
fn bias_of(filter_index: u32) -> f32 {
  return 0.0;
}
