// A lane's walk down the depth (vector.wgsl): every ALONG-th word of four bytes.
fn walk(
  slice: Slice,
  first_row: u32,
  column: u32,
  along: u32,
  acc: ptr<function, array<vec4<i32>, ROWS>>,
  row_sums: ptr<function, array<i32, ROWS>>,
  column_sums: ptr<function, vec4<i32>>,
) {
  for (var k = 4u * along; k < params.depth; k += 4u * ALONG) {
    let r = load_right(slice, k, column);
    if (HAS_A_ZERO) { *column_sums += dots(ONES, r); }
    for (var i = 0u; i < ROWS; i++) {
      let l = load_left(slice, min(first_row + i, params.rows - 1u), k);
      acc[i] += dots(l, r);
      if (HAS_B_ZERO) { row_sums[i] += dot_bytes(ONES, l); }
    }
  }
}
