// Filters lie side by side in Y, but not in whole quads.
fn finish_quad(line: u32, index: u32, sum: vec4<f32>) {
  for (var i = 0u; i < 4u; i++) {
    if (4u * line + i < params.filters) { store_y(index + i, activated(sum[i] + residual_of(index + i))); }
  }
}
