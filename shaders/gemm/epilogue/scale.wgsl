// A factor for each row or column (or both) of a product; broadcast by strides of 0.
fn scale_at(terms: u32, row: u32, column: u32) -> f32 {
  return load_scale(terms + row * params.scale_row + column * params.scale_column);
}
