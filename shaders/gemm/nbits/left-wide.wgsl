// A [rows, depth] of whole quads, four values along the depth at a time; 0 past the depth, k is a multiple of 4.
fn left_quad(row: u32, k: u32) -> vec4<f32> {
  if (k >= params.depth) { return vec4<f32>(); }
  return load_a((row * params.depth + k) / 4u);
}
