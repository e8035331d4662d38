// Quads of filters lie whole in Y.
fn finish_quad(line: u32, index: u32, sum: vec4<f32>) {
  let all = sum + residual_of(index / 4u);
  store_y(index / 4u, vec4<f32>(activated(all.x), activated(all.y), activated(all.z), activated(all.w)));
}
