// Filters are stored one by one: `first` is the quad's first among all, `inner` among those of its group.
fn bias_quad(first: u32) -> vec4<f32> {
  let last = params.all_filters - 1u;
  return vec4<f32>(bias_of(first), bias_of(min(first + 1u, last)), bias_of(min(first + 2u, last)), bias_of(min(first + 3u, last)));
}

fn finish_quad(first: u32, inner: u32, pixel: u32, sum: vec4<f32>) {
  for (var i = 0u; i < 4u; i++) {
    let m = first + i;
    let index = pixel + m / 4u * params.y_quad + m % 4u * params.y_channel;
    if (inner + i < params.filters) { store_y(index, activated(sum[i] + residual_of(index))); }
  }
}
