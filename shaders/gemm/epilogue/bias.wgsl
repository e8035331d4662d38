// beta * C of a product; C is broadcast by strides of 0.
fn bias_at(terms: u32, row: u32, column: u32) -> f32 {
  return params.beta * load_bias(terms + row * params.bias_row + column * params.bias_column);
}
