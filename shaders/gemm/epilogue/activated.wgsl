// The activation is an elementwise function, joined before this file (../../elementwise/*.wgsl).
fn activated(x: f32) -> f32 {
  return apply(x);
}
