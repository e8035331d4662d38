// The operands of a plain matrix product, for tiled.wgsl and vector.wgsl: any strides, so that transposed and broadcast
// matrices are read where they lie.
//
//   left(row, k)     = a[a_offset + batch + row * a_row + k * a_depth]
//   right(k, column) = b[b_offset + batch + k * b_depth + column * b_column]
//   y[row][column]   = alpha * sum + bias_at(row, column)          (y is contiguous; bias.wgsl or no-bias.wgsl)
//
// Slices run over up to four batch dimensions, 3 the innermost; a dimension that is broadcast has stride 0.

struct Slice { a: u32, b: u32, y: u32 }
alias Column = u32;
alias Depth = u32;

fn slice_of(index: u32) -> Slice {
  var rest = index;
  let i3 = rest % params.batch3;
  rest /= params.batch3;
  let i2 = rest % params.batch2;
  rest /= params.batch2;
  let i1 = rest % params.batch1;
  let i0 = rest / params.batch1;
  return Slice(
    params.a_offset + i0 * params.a_batch0 + i1 * params.a_batch1 + i2 * params.a_batch2 + i3 * params.a_batch3,
    params.b_offset + i0 * params.b_batch0 + i1 * params.b_batch1 + i2 * params.b_batch2 + i3 * params.b_batch3,
    params.y_offset + index * params.rows * params.columns,
  );
}

fn load_left(slice: Slice, row: u32, k: u32) -> f32 {
  return load_a(slice.a + row * params.a_row + k * params.a_depth);
}

fn column_of(slice: Slice, column: u32) -> Column {
  return slice.b + column * params.b_column;
}

fn depth_of(k: u32) -> Depth {
  return k * params.b_depth;
}

fn load_right(slice: Slice, column: Column, k: Depth) -> f32 {
  return load_b(column + k);
}

fn finish(slice: Slice, row: u32, column: u32, sum: f32) {
  store_y(slice.y + row * params.columns + column, params.alpha * sum + bias_at(row, column));
}
