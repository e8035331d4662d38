// Stores sums of a product whose rows of Y are whole quads, side by side, four columns at a time.

/// Four columns of a row; column is a multiple of 4. Nothing past the last column is stored.
fn finish_quad(slice: Slice, row: u32, column: u32, sums: vec4<f32>) {
  if (column >= params.columns) { return; }
  let index = slice.y + row_at(row) + column / 4u * params.y_quad;
  var values: vec4<f32>;
  for (var i = 0u; i < 4u; i++) { values[i] = finished(slice.terms, index + i, row, column + i, sums[i]); }
  store_y(index / 4u, values);
}
