// The operands of a convolution as a matrix product, for tiled.wgsl and vector.wgsl, one slice per group:
//
//   rows:    filters of the group                  left(row, k)     = w[filter][c][r][s]
//   columns: output positions (n, p, q)            right(k, column) = x[n][c][p*stride + r*dilation - pad][...]
//   depth:   k = (c, r, s)
//
// The patch matrix is never stored: each element is found from its column (computed once per invocation) and its k (once
// per step). Padding reads as 0.

struct Slice { group: u32 }
/// First channel plane of the window, and its top left corner, which may lie in the padding.
struct Column { plane: u32, y: i32, x: i32 }
/// What one k adds to it.
struct Depth { plane: u32, y: i32, x: i32 }

fn slice_of(index: u32) -> Slice {
  return Slice(index);
}

fn load_left(slice: Slice, row: u32, k: u32) -> f32 {
  return load_w((slice.group * params.rows + row) * params.depth + k);
}

fn column_of(slice: Slice, column: u32) -> Column {
  let q = column % params.out_width;
  let rest = column / params.out_width;
  let p = rest % params.out_height;
  let n = rest / params.out_height;
  return Column(
    (n * params.conv_groups + slice.group) * params.channels * params.height * params.width,
    i32(p * params.stride_y) - i32(params.pad_top),
    i32(q * params.stride_x) - i32(params.pad_left),
  );
}

fn depth_of(k: u32) -> Depth {
  let s = k % params.kernel_width;
  let rest = k / params.kernel_width;
  let r = rest % params.kernel_height;
  let c = rest / params.kernel_height;
  return Depth(c * params.height * params.width, i32(r * params.dilation_y), i32(s * params.dilation_x));
}

fn load_right(slice: Slice, column: Column, k: Depth) -> f32 {
  // A negative coordinate is a huge one as u32.
  let y = u32(column.y + k.y);
  let x = u32(column.x + k.x);
  if (y >= params.height || x >= params.width) { return 0.0; }
  return load_x(column.plane + k.plane + y * params.width + x);
}

fn finish(slice: Slice, row: u32, column: u32, sum: f32) {
  let plane = params.out_height * params.out_width;
  let filter_index = slice.group * params.rows + row;
  let n = column / plane;
  let index = (n * params.conv_groups * params.rows + filter_index) * plane + column % plane;
  store_y(index, activated(sum + bias_of(filter_index)));
}
