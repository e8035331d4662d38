// The first `count` of four neighbours of y.
fn store_quad(index: u32, quad: vec4<f32>, count: u32) {
  store_y(index, quad.x);
  if (count > 1u) { store_y(index + 1u, quad.y); }
  if (count > 2u) { store_y(index + 2u, quad.z); }
  if (count > 3u) { store_y(index + 3u, quad.w); }
}
