// Stores sums of a product one by one.

/// One value; row and column lie inside.
fn finish(slice: Slice, row: u32, column: u32, sum: f32) {
  let index = slice.y + row_at(row) + column / 4u * params.y_quad + column % 4u * params.y_column;
  store_y(index, finished(slice.terms, index, row, column, sum));
}

/// Four columns of a row, those that there are; column is a multiple of 4.
fn finish_quad(slice: Slice, row: u32, column: u32, sums: vec4<f32>) {
  for (var i = 0u; i < 4u; i++) {
    if (column + i < params.columns) { finish(slice, row, column + i, sums[i]); }
  }
}
