// A [rows, depth] of any depth, four values along it; 0 past the depth.
fn left_quad(row: u32, k: u32) -> vec4<f32> {
  var quad = vec4<f32>();
  for (var j = 0u; j < 4u; j++) {
    if (k + j < params.depth) { quad[j] = load_a(row * params.depth + k + j); }
  }
  return quad;
}
