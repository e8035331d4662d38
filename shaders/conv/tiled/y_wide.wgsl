// Quads of filters lie whole in Y, and so do their biases.
fn bias_quad(first: u32) -> vec4<f32> { return bias_of(first / 4u); }

fn finish_quad(first: u32, inner: u32, pixel: u32, sum: vec4<f32>) {
  let index = (pixel + first / 4u * params.y_quad) / 4u;
  let all = sum + residual_of(index);
  store_y(index, vec4<f32>(activated(all.x), activated(all.y), activated(all.z), activated(all.w)));
}
