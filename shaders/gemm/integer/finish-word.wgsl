// Four columns of a row, requantised and stored as one word: rows are whole words.
fn finish(slice: Slice, row: u32, column: u32, sums: vec4<i32>) {
  var word = 0u;
  for (var j = 0u; j < 4u; j++) { word |= (u32(requantised(slice, row, column + j, sums[j])) & 0xffu) << (8u * j); }
  store_y((slice.y + row * params.columns + column) / 4u, word);
}
