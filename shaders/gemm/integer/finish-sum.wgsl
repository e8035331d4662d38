// Four columns of a row of integer sums, those that there are, as they are.
fn finish(slice: Slice, row: u32, column: u32, sums: vec4<i32>) {
  let index = slice.y + row * params.columns + column;
  for (var j = 0u; j < min(4u, params.columns - column); j++) { store_y(index + j, sums[j]); }
}
