// Four neighbours of x from a multiple of 4 on; x is bound four elements wide.
fn read_quad(index: u32) -> vec4<f32> {
  return load_x(index / 4u);
}
