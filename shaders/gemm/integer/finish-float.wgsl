// Four columns of a row of integer sums, scaled: activated(sum * scale of the row * scale of the column + bias + residual).
fn finish(slice: Slice, row: u32, column: u32, sums: vec4<i32>) {
  let index = slice.y + row * params.columns + column;
  let scale = a_scale(slice, row);
  for (var j = 0u; j < min(4u, params.columns - column); j++) {
    let product = f32(sums[j]) * scale * b_scale(slice, column + j);
    store_y(index + j, activated(product + bias(slice, column + j) + residual(index + j)));
  }
}
