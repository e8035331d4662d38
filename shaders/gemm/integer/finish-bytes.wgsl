// Four columns of a row, those that there are, requantised and stored byte by byte: rows may begin inside a word.
fn finish(slice: Slice, row: u32, column: u32, sums: vec4<i32>) {
  let index = slice.y + row * params.columns + column;
  for (var j = 0u; j < min(4u, params.columns - column); j++) {
    store_y(index + j, y_t(requantised(slice, row, column + j, sums[j])));
  }
}
