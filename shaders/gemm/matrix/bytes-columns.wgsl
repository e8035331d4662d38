// Words along the depth of a right side that is given transposed (after ../integer/right-columns.wgsl); column and k lie inside.
fn load_right_word(slice: Slice, column: u32, k: u32) -> u32 {
  return (bytes_b(slice.b + column * params.depth + k) ^ FLIP_B) & inside(k);
}
