// A lane's walk down the depth (vector.wgsl) of weights that hold 2:4: every ALONG-th word of seats, eight groups, two at a time. What is
// multiplied of them say placed-*.wgsl.
fn walk(
  slice: Slice,
  first_row: u32,
  column: u32,
  along: u32,
  acc: ptr<function, array<vec4<i32>, ROWS>>,
  _row_sums: ptr<function, array<i32, ROWS>>,
  column_sums: ptr<function, vec4<i32>>,
) {
  for (var word = along; word < params.seats_words; word += ALONG) {
    var seats = right_words(slice, column, word);
    for (var k = 32u * word; k < min(32u * word + 32u, params.depth); k += 8u) {
      let kept = kept_words(column, k);
      let right = placed(kept, seats);
      if (HAS_A_ZERO) { *column_sums += dots(ONES, kept); }
      for (var i = 0u; i < ROWS; i++) {
        let row = min(first_row + i, params.rows - 1u);
        let low = load_left(slice, row, k);
        let high = select(0u, load_left(slice, row, min(k + 4u, params.depth - 1u)), k + 4u < params.depth);
        acc[i] += placed_dots(low, high, right);
      }
      seats >>= vec4<u32>(8u);
    }
  }
}
