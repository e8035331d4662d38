// Four neighbours of y from a multiple of 4 on; y is bound four elements wide.
fn store_quad(index: u32, quad: vec4<f32>, count: u32) {
  store_y(index / 4u, quad);
}
