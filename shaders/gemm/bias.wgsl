// beta * C of a matrix product; C is broadcast by strides of 0.
fn bias_at(row: u32, column: u32) -> f32 {
  return params.beta * load_c(row * params.c_row + column * params.c_column);
}
